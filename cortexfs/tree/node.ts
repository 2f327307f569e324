import { errno } from "../fuse/errno.ts";

/** Who makes a system call, as the kernel states it in each message. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

/** A result now, or later: the loop answers a promise when it settles and meanwhile serves others. */
export type Later<T> = T | Promise<T>;

let nextInode = 2;

export interface NodeOptions {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Milliseconds UTC. */
  readonly time: number;
}

/** What every node of the tree has. The number is its own for the life of the mount and is never given again. */
export abstract class Node {
  readonly ino: number = nextInode++;
  mode: number;
  uid: number;
  gid: number;
  /** Last change of content and of attributes, milliseconds UTC. */
  mtime: number;
  ctime: number;
  links = 1;
  /** How often the kernel has looked this node up and not yet forgotten it. Owned by `fuse/core.ts`. */
  lookups = 0;
  /** A node whose name and attributes stay as they are may be cached by the kernel. */
  fixed = false;

  constructor(options: NodeOptions) {
    this.mode = options.mode;
    this.uid = options.uid;
    this.gid = options.gid;
    this.mtime = options.time;
    this.ctime = options.time;
  }

  abstract readonly type: "directory" | "file" | "symlink";

  /** Bytes, as `stat` shows them. Takes the caller's word for nothing: it must equal what a read returns. */
  size(): number {
    return 0;
  }

  /** chmod, chown, utimes: refused unless the node says otherwise. */
  setMode(_mode: number, _caller: Caller): void {
    throw errno("EPERM");
  }

  setOwner(uid: number, gid: number, _caller: Caller): void {
    // `cp -p` and `tar` set what is already so; only a real change is refused.
    if ((uid !== -1 && uid !== this.uid) || (gid !== -1 && gid !== this.gid)) throw errno("EPERM");
  }

  setTime(_mtime: number, _caller: Caller): void {}

  /** Text of an extended attribute, or undefined. */
  attribute(_name: string): string | undefined {
    return undefined;
  }

  attributes(): readonly string[] {
    return [];
  }
}

export interface Entry {
  readonly name: string;
  readonly type: "directory" | "file" | "symlink";
  /** 0 when the node was not made yet. */
  readonly ino: number;
}

export abstract class Directory extends Node {
  override readonly type = "directory";
  override links = 2;
  /** Changes whenever `list` would answer otherwise; undefined when it depends on more than this node. */
  listVersion(): number | undefined {
    return undefined;
  }
  abstract lookup(name: string, caller: Caller): Node | undefined;
  abstract list(caller: Caller): readonly Entry[];

  create(_name: string, _mode: number, _caller: Caller): File {
    throw errno("EROFS");
  }
  mkdir(_name: string, _mode: number, _caller: Caller): Later<Directory> {
    throw errno("EROFS");
  }
  symlink(_name: string, _target: string, _caller: Caller): Symlink {
    throw errno("EROFS");
  }
  unlink(_name: string, _caller: Caller): Later<void> {
    throw errno("EROFS");
  }
  rmdir(_name: string, _caller: Caller): Later<void> {
    throw errno("EROFS");
  }
  /** Called on the directory that holds `name`; `replace` is false for RENAME_NOREPLACE. */
  rename(_name: string, _to: Directory, _newName: string, _replace: boolean, _caller: Caller): Later<void> {
    throw errno("EROFS");
  }
}

/** An open file. Offsets and sizes in bytes. */
export interface Handle {
  read(offset: number, size: number, signal: () => AbortSignal): Later<Uint8Array>;
  /** `data` is only lent: copy what is kept. Returns the number of bytes taken. */
  write(offset: number, data: Uint8Array): number;
  /** False for a handle with nothing to do at a close: the kernel then does not ask. */
  readonly flushes?: false;
  /** At each close of a descriptor of this handle. */
  flush(): Later<void>;
  fsync(): Later<void>;
  release(): void;
  /** ftruncate(2). Without it the file itself is truncated. */
  truncate?(size: number): void;
}

export abstract class File extends Node {
  override readonly type = "file";
  /** `truncate` is O_TRUNC; `write` and `append` come from the access mode. */
  abstract open(options: OpenOptions, caller: Caller): Handle;
  truncate(_size: number, _caller: Caller): Later<void> {
    throw errno("EROFS");
  }
}

export interface OpenOptions {
  readonly read: boolean;
  readonly write: boolean;
  readonly append: boolean;
  readonly truncate: boolean;
}

export class Symlink extends Node {
  override readonly type = "symlink";
  readonly target: string;
  constructor(target: string, options: NodeOptions) {
    super(options);
    this.target = target;
  }
  override size(): number {
    return Buffer.byteLength(this.target);
  }
}
