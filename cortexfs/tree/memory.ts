import { errno } from "../fuse/errno.ts";
import {
  type Caller,
  Directory,
  type Entry,
  File,
  type Handle,
  type Node,
  type NodeOptions,
  type OpenOptions,
  Symlink,
} from "./node.ts";

/** Bytes that the ordinary files of one home may hold together, and what they hold. */
export class Quota {
  readonly total: number;
  readonly fileLimit: number;
  used = 0;
  constructor(total: number, fileLimit = total) {
    this.total = total;
    this.fileLimit = fileLimit;
  }
  /** Take more (or give back, when negative); refused as a full disk would. */
  take(bytes: number): void {
    if (bytes > 0 && this.used + bytes > this.total) throw errno("ENOSPC");
    this.used += bytes;
  }
}

const EMPTY = new Uint8Array(0);

/** An ordinary file in memory: what `cp`, `vim` and `dd` expect, gone with the mount. */
export class MemoryFile extends File {
  #data: Uint8Array = EMPTY;
  #size = 0;
  #opens = 0;
  readonly #quota: Quota;

  constructor(quota: Quota, options: NodeOptions) {
    super(options);
    this.#quota = quota;
  }

  override size(): number {
    return this.#size;
  }

  /** The bytes as they are; a view, valid until the next write. */
  bytes(): Uint8Array {
    return this.#data.subarray(0, this.#size);
  }

  override open(options: OpenOptions): Handle {
    if (options.truncate) this.truncate(0);
    this.#opens++;
    return new MemoryHandle(this, options.append);
  }

  read(offset: number, size: number): Uint8Array {
    if (offset >= this.#size) return EMPTY;
    const end = offset + size;
    return this.#data.subarray(offset, end < this.#size ? end : this.#size);
  }

  write(offset: number, data: Uint8Array): number {
    const end = offset + data.length;
    if (end > this.#size) this.#resize(end);
    this.#data.set(data, offset);
    this.touch();
    return data.length;
  }

  override truncate(size: number): void {
    if (size !== this.#size) this.#resize(size);
    this.touch();
  }

  touch(): void {
    this.mtime = Date.now();
    this.ctime = this.mtime;
  }

  #resize(size: number): void {
    if (size > this.#quota.fileLimit) throw errno("EFBIG");
    if (size > this.#data.length) {
      const room = Math.min(Math.max(size, this.#data.length * 2, 256), this.#quota.fileLimit);
      this.#quota.take(room - this.#data.length);
      const grown = new Uint8Array(room);
      grown.set(this.#data.subarray(0, this.#size));
      this.#data = grown;
    } else if (size < this.#size) {
      // What lies beyond the end must read as zero when the file grows again.
      if (size === 0) {
        this.#quota.take(-this.#data.length);
        this.#data = EMPTY;
      } else this.#data.fill(0, size, this.#size);
    }
    this.#size = size;
  }

  removed(): void {
    this.links = 0;
    if (this.#opens === 0) this.#free();
  }

  closed(): void {
    if (--this.#opens === 0 && this.links === 0) this.#free();
  }

  #free(): void {
    this.#quota.take(-this.#data.length);
    this.#data = EMPTY;
    this.#size = 0;
  }

  override setMode(mode: number, caller: Caller): void {
    if (caller.uid !== this.uid && caller.uid !== 0) throw errno("EPERM");
    this.mode = mode & 0o777;
    this.ctime = Date.now();
  }

  override setTime(mtime: number): void {
    this.mtime = mtime;
    this.ctime = Date.now();
  }
}

class MemoryHandle implements Handle {
  readonly flushes = false;
  readonly #file: MemoryFile;
  readonly #append: boolean;
  constructor(file: MemoryFile, append: boolean) {
    this.#file = file;
    this.#append = append;
  }
  read(offset: number, size: number): Uint8Array {
    return this.#file.read(offset, size);
  }
  write(offset: number, data: Uint8Array): number {
    return this.#file.write(this.#append ? this.#file.size() : offset, data);
  }
  flush(): void {}
  fsync(): void {}
  release(): void {
    this.#file.closed();
  }
}

/** An ordinary directory in memory: create, remove, rename within one home's tree. */
export class MemoryDirectory extends Directory {
  readonly #children = new Map<string, Node>();
  readonly #quota: Quota;
  #version = 0;

  constructor(quota: Quota, options: NodeOptions) {
    super(options);
    this.#quota = quota;
  }

  override listVersion(): number {
    return this.#version;
  }

  override lookup(name: string): Node | undefined {
    return this.#children.get(name);
  }

  override list(): Entry[] {
    return [...this.#children].map(([name, node]) => ({ name, type: node.type, ino: node.ino }));
  }

  override create(name: string, mode: number, caller: Caller): MemoryFile {
    if (this.#children.has(name)) throw errno("EEXIST");
    const now = Date.now();
    const file = new MemoryFile(this.#quota, { mode, uid: caller.uid, gid: caller.gid, time: now });
    this.#put(name, file, now);
    return file;
  }

  override mkdir(name: string, mode: number, caller: Caller): MemoryDirectory {
    if (this.#children.has(name)) throw errno("EEXIST");
    const now = Date.now();
    const directory = new MemoryDirectory(this.#quota, { mode, uid: caller.uid, gid: caller.gid, time: now });
    this.#put(name, directory, now);
    this.links++;
    return directory;
  }

  override symlink(name: string, target: string, caller: Caller): Symlink {
    if (this.#children.has(name)) throw errno("EEXIST");
    const now = Date.now();
    const link = new Symlink(target, { mode: 0o777, uid: caller.uid, gid: caller.gid, time: now });
    this.#put(name, link, now);
    return link;
  }

  override unlink(name: string): void {
    const node = this.#children.get(name);
    if (node === undefined) throw errno("ENOENT");
    if (node instanceof Directory) throw errno("EISDIR");
    this.#drop(name);
    if (node instanceof MemoryFile) node.removed();
  }

  override rmdir(name: string): void {
    const node = this.#children.get(name);
    if (node === undefined) throw errno("ENOENT");
    if (!(node instanceof MemoryDirectory)) throw errno("ENOTDIR");
    if (node.#children.size > 0) throw errno("ENOTEMPTY");
    this.#drop(name);
    node.links = 0;
    this.links--;
  }

  override rename(name: string, to: Directory, newName: string, replace: boolean): void {
    if (!(to instanceof MemoryDirectory) || to.#quota !== this.#quota) throw errno("EXDEV");
    const node = this.#children.get(name);
    if (node === undefined) throw errno("ENOENT");
    const existing = to.#children.get(newName);
    if (existing === node) return;
    if (existing !== undefined) {
      if (!replace) throw errno("EEXIST");
      if (existing instanceof Directory) {
        if (!(node instanceof Directory)) throw errno("EISDIR");
        to.rmdir(newName);
      } else {
        if (node instanceof Directory) throw errno("ENOTDIR");
        to.unlink(newName);
      }
    }
    this.#drop(name);
    to.#put(newName, node, Date.now());
    if (node instanceof Directory && to !== this) {
      this.links--;
      to.links++;
    }
  }

  #put(name: string, node: Node, now: number): void {
    this.#children.set(name, node);
    this.#version++;
    this.mtime = now;
    this.ctime = now;
  }

  #drop(name: string): void {
    this.#children.delete(name);
    this.#version++;
    this.mtime = Date.now();
    this.ctime = this.mtime;
  }
}
