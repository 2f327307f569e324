import type { Log } from "../../src/base/log.ts";
import {
  type Caller,
  Directory,
  File,
  type Later,
  type Node,
  type OpenOptions,
  Symlink,
} from "../tree/node.ts";
import {
  ENTRY_OUT_SIZE,
  FATTR,
  IN_HEADER_SIZE,
  IN_SIZE,
  INIT_OUT_SIZE,
  O,
  OP,
  OPEN_OUT_SIZE,
  RENAME_NOREPLACE,
  S_IFMT,
  S_IFREG,
} from "./abi.ts";
import { type Dirents, encodeDirents, sliceDirents } from "./dirents.ts";
import { Errno, errno } from "./errno.ts";
import { Handles } from "./handles.ts";
import { Names } from "./names.ts";
import { negotiate } from "./negotiate.ts";
import { NodeTable } from "./node-table.ts";
import { Reply, type Sink, type Ttl } from "./reply.ts";

export type { Sink };

export interface CoreOptions {
  /** How long the kernel may keep names and attributes of fixed nodes, milliseconds. */
  readonly fixedTtlMs: number;
  /** Bytes of this filesystem and how many are free, for statfs. */
  readonly space: () => { total: number; free: number };
  readonly log: Log;
}

/** The largest write of one message, and so the size of both buffers beside their headers. */
const MAX_WRITE = 1 << 20;
export const BUFFER_SIZE = MAX_WRITE + 4096;

/** How long the kernel may keep the attributes of a node that changes. */
const NO_TTL: Ttl = { seconds: 0, nanoseconds: 0 };

/**
 * One FUSE session: decodes a kernel message by the sizes it declares, calls the tree, and encodes the answer. It has
 * no descriptor of its own. A message that does not hold what its operation needs is answered with EIO and touches
 * nothing.
 */
export class Core {
  readonly #options: CoreOptions;
  readonly #reply: Reply;
  readonly #in8: Uint8Array;
  readonly #in32: Uint32Array;
  readonly #names: Names;
  readonly #nodes: NodeTable;
  readonly #handles = new Handles();
  readonly #pending = new Map<number, AbortController>();
  readonly #direntCache = new WeakMap<Directory, { version: number; dirents: Dirents }>();
  readonly #fixedTtl: Ttl;
  #caller: Caller = { uid: 0, gid: 0, pid: 0 };
  #ready = false;

  constructor(root: Directory, input: ArrayBuffer, output: ArrayBuffer, sink: Sink, options: CoreOptions) {
    this.#reply = new Reply(output, sink);
    this.#options = options;
    const { fixedTtlMs } = options;
    this.#fixedTtl = { seconds: Math.floor(fixedTtlMs / 1000), nanoseconds: (fixedTtlMs % 1000) * 1e6 };
    this.#in8 = new Uint8Array(input);
    this.#names = new Names(input);
    this.#in32 = new Uint32Array(input);
    this.#nodes = new NodeTable(root);
  }

  /** Open handles, for `status` and for tests that look for leaks. */
  get openHandles(): number {
    return this.#handles.count;
  }

  get knownNodes(): number {
    return this.#nodes.count;
  }

  /** Serve the message of `length` bytes that lies in the input buffer. */
  handle(length: number) {
    const words = this.#in32;
    if (length < IN_HEADER_SIZE) return;
    const op = words[1]!;
    this.#reply.uniqueLow = words[2]!;
    this.#reply.uniqueHigh = words[3]!;
    const body = length - IN_HEADER_SIZE;
    if (words[0] !== length || body < (IN_SIZE[op] ?? 0)) {
      if (op !== OP.FORGET && op !== OP.BATCH_FORGET && op !== OP.INTERRUPT) this.#reply.refuse(5);
      return;
    }
    const uid = words[6]!;
    const gid = words[7]!;
    const pid = words[8]!;
    const last = this.#caller;
    if (last.uid !== uid || last.gid !== gid || last.pid !== pid) this.#caller = { uid, gid, pid };
    try {
      this.#dispatch(op, words[5] === 0 ? words[4]! : 0, length);
    } catch (error) {
      this.#fail(error);
    }
  }

  #dispatch(op: number, nodeId: number, length: number) {
    const words = this.#in32;
    if (op === OP.FORGET) return this.#nodes.forget(nodeId, words[10]!);
    if (op === OP.BATCH_FORGET) return this.#batchForget(length);
    if (op === OP.INTERRUPT) return this.#pending.get(words[10]! + words[11]! * 2 ** 32)?.abort();
    if (op === OP.INIT) return this.#init(length);
    if (!this.#ready) throw errno("EIO");
    if (op === OP.DESTROY) return this.#reply.ok(0);
    const node = this.#nodes.get(nodeId);
    if (node === undefined) throw errno("ENOENT");
    switch (op) {
      case OP.LOOKUP: {
        const directory = this.#directory(node);
        const child = directory.lookup(this.#names.at(IN_HEADER_SIZE, length), this.#caller);
        if (child === undefined) return this.#reply.refuse(2);
        return this.#entry(child, 0);
      }
      case OP.GETATTR:
        return this.#attributes(node);
      case OP.OPEN:
        return this.#open(node, words[10]!);
      case OP.READ:
        return this.#read(words);
      case OP.WRITE:
        return this.#write(words, length);
      case OP.FLUSH: {
        return this.#later(this.#handles.file(words[10]!).handle.flush(), this.#done);
      }
      case OP.RELEASE:
      case OP.RELEASEDIR:
        return this.#release(words[10]!);
      case OP.FSYNC:
        return this.#later(this.#handles.file(words[10]!).handle.fsync(), this.#done);
      case OP.FSYNCDIR:
        return this.#reply.ok(0);
      case OP.CREATE:
        return this.#create(this.#directory(node), words, length);
      case OP.MKNOD: {
        const name = this.#names.ofNew(IN_HEADER_SIZE + 16, length);
        if ((words[10]! & S_IFMT) !== S_IFREG) throw errno("EPERM");
        return this.#entry(this.#directory(node).create(name, words[10]! & 0o7777, this.#caller), 0);
      }
      case OP.MKDIR: {
        const name = this.#names.ofNew(IN_HEADER_SIZE + 8, length);
        const made = this.#directory(node).mkdir(name, words[10]! & 0o7777, this.#caller);
        return this.#later(made, (child) => this.#entry(child, 0));
      }
      case OP.SYMLINK: {
        const name = this.#names.ofNew(IN_HEADER_SIZE, length);
        const targetAt = IN_HEADER_SIZE + Buffer.byteLength(name) + 1;
        const target = this.#names.at(targetAt, length, 4096);
        return this.#entry(this.#directory(node).symlink(name, target, this.#caller), 0);
      }
      case OP.UNLINK: {
        const name = this.#names.at(IN_HEADER_SIZE, length);
        return this.#later(this.#directory(node).unlink(name, this.#caller), this.#done);
      }
      case OP.RMDIR: {
        const name = this.#names.at(IN_HEADER_SIZE, length);
        return this.#later(this.#directory(node).rmdir(name, this.#caller), this.#done);
      }
      case OP.RENAME:
        return this.#rename(node, IN_HEADER_SIZE + 8, 0, length);
      case OP.RENAME2:
        return this.#rename(node, IN_HEADER_SIZE + 16, words[12]!, length);
      case OP.LINK:
        throw errno("EPERM");
      case OP.SETATTR:
        return this.#setAttributes(node, words);
      case OP.READLINK:
        if (!(node instanceof Symlink)) throw errno("EINVAL");
        return this.#reply.payload(Buffer.from(node.target));
      case OP.OPENDIR:
        return this.#openDirectory(this.#directory(node));
      case OP.READDIR: {
        const { dirents } = this.#handles.directory(words[10]!);
        return this.#reply.payload(sliceDirents(dirents, words[12]!, Math.min(words[14]!, MAX_WRITE)));
      }
      case OP.STATFS:
        return this.#reply.space(this.#options.space(), this.#nodes.count);
      case OP.GETXATTR: {
        const text = node.attribute(this.#names.at(IN_HEADER_SIZE + 8, length));
        if (text === undefined) throw errno("ENODATA");
        return this.#reply.sized(Buffer.from(text), words[10]!);
      }
      case OP.LISTXATTR:
        return this.#reply.sized(
          Buffer.from(
            node
              .attributes()
              .map((name) => `${name}\0`)
              .join(""),
          ),
          words[10]!,
        );
      case OP.SETXATTR:
      case OP.REMOVEXATTR:
        // Not EROFS: programs that copy access lists take this one as "there are none here".
        throw errno("ENOTSUP");
      default:
        throw errno("ENOSYS");
    }
  }

  #init(length: number) {
    const { log } = this.#options;
    this.#ready = negotiate(this.#in32, length, this.#reply.words, MAX_WRITE, log);
    this.#reply.ok(INIT_OUT_SIZE);
  }

  #open(node: Node, flags: number) {
    if (!(node instanceof File)) throw errno(node instanceof Directory ? "EISDIR" : "EINVAL");
    const handle = node.open(openOptions(flags), this.#caller);
    this.#reply.opened(4, this.#handles.keep({ node, handle }), handle);
    this.#reply.ok(OPEN_OUT_SIZE);
  }

  #create(directory: Directory, words: Uint32Array, length: number) {
    const name = this.#names.ofNew(IN_HEADER_SIZE + 16, length);
    const flags = words[10]!;
    if (this.#handles.isFull) throw errno("ENFILE");
    const node = directory.create(name, words[11]! & 0o7777, this.#caller);
    const handle = node.open(openOptions(flags), this.#caller);
    const fd = this.#handles.keep({ node, handle });
    this.#fillEntry(node, 4);
    this.#reply.opened(4 + ENTRY_OUT_SIZE / 4, fd, handle);
    this.#reply.ok(ENTRY_OUT_SIZE + OPEN_OUT_SIZE);
  }

  #read(words: Uint32Array) {
    const size = Math.min(words[14]!, MAX_WRITE);
    const offset = words[12]! + words[13]! * 2 ** 32;
    const result = this.#handles.file(words[10]!).handle.read(offset, size, this.#signal);
    if (result instanceof Promise) this.#later(result, (data) => this.#reply.payload(data.subarray(0, size)));
    else this.#reply.payload(result);
  }

  #write(words: Uint32Array, length: number) {
    const size = words[14]!;
    const start = IN_HEADER_SIZE + 40;
    if (size > length - start) throw errno("EIO");
    const offset = words[12]! + words[13]! * 2 ** 32;
    const taken = this.#handles
      .file(words[10]!)
      .handle.write(offset, this.#in8.subarray(start, start + size));
    this.#reply.written(taken);
  }

  #release(slotIndex: number) {
    this.#handles.release(slotIndex);
    this.#reply.ok(0);
  }

  #rename(node: Node, nameAt: number, flags: number, length: number) {
    const words = this.#in32;
    if ((flags & ~RENAME_NOREPLACE) !== 0) throw errno("EINVAL");
    const target = words[11] === 0 ? this.#nodes.get(words[10]!) : undefined;
    if (target === undefined) throw errno("ENOENT");
    const from = this.#names.at(nameAt, length);
    const to = this.#names.ofNew(nameAt + Buffer.byteLength(from) + 1, length);
    const replace = (flags & RENAME_NOREPLACE) === 0;
    const moved = this.#directory(node).rename(from, this.#directory(target), to, replace, this.#caller);
    this.#later(moved, this.#done);
  }

  #setAttributes(node: Node, words: Uint32Array) {
    const valid = words[10]!;
    const caller = this.#caller;
    if (valid & FATTR.MODE) node.setMode(words[27]! & 0o7777, caller);
    if (valid & (FATTR.UID | FATTR.GID)) {
      node.setOwner(valid & FATTR.UID ? words[29]! : -1, valid & FATTR.GID ? words[30]! : -1, caller);
    }
    if (valid & FATTR.MTIME) {
      const time =
        valid & FATTR.MTIME_NOW
          ? Date.now()
          : (words[20]! + words[21]! * 2 ** 32) * 1000 + Math.floor(words[25]! / 1e6);
      node.setTime(time, caller);
    }
    if (!(valid & FATTR.SIZE)) return this.#attributes(node);
    if (!(node instanceof File)) throw errno("EISDIR");
    const size = words[14]! + words[15]! * 2 ** 32;
    const open = valid & FATTR.FH ? this.#handles.fileIfOpen(words[12]!) : undefined;
    if (open?.handle.truncate !== undefined) {
      open.handle.truncate(size);
      return this.#attributes(node);
    }
    this.#later(node.truncate(size, caller), () => this.#attributes(node));
  }

  #openDirectory(node: Directory) {
    const version = node.listVersion();
    const cached = version === undefined ? undefined : this.#direntCache.get(node);
    let dirents = cached?.dirents;
    if (cached === undefined || cached.version !== version) {
      dirents = encodeDirents(this.#nodes.numberOf(node), node.list(this.#caller));
      if (version !== undefined) this.#direntCache.set(node, { version, dirents });
    }
    const fd = this.#handles.keep({ node, dirents: dirents! });
    this.#reply.openedDirectory(fd);
  }

  #directory(node: Node): Directory {
    if (!(node instanceof Directory)) throw errno("ENOTDIR");
    return node;
  }

  #batchForget(length: number) {
    const words = this.#in32;
    const fits = Math.floor((length - IN_HEADER_SIZE - 8) / 16);
    const count = Math.min(words[10]!, fits);
    for (let i = 0; i < count; i++) this.#nodes.forget(words[12 + 4 * i]!, words[14 + 4 * i]!);
  }

  #signal = (): AbortSignal => {
    const unique = this.#reply.uniqueLow + this.#reply.uniqueHigh * 2 ** 32;
    const controller = new AbortController();
    this.#pending.set(unique, controller);
    return controller.signal;
  };

  /** Answer now, or when the promise settles; what is in the output buffer is only written at that moment. */
  #later<T>(value: Later<T>, answer: (value: T) => void) {
    if (!(value instanceof Promise)) return answer(value);
    const low = this.#reply.uniqueLow;
    const high = this.#reply.uniqueHigh;
    const resume = (): void => {
      this.#pending.delete(low + high * 2 ** 32);
      this.#reply.uniqueLow = low;
      this.#reply.uniqueHigh = high;
    };
    value.then(
      (result) => {
        resume();
        answer(result);
      },
      (error: unknown) => {
        resume();
        this.#fail(error);
      },
    );
  }

  #done = (): void => this.#reply.ok(0);

  #fail(error: unknown) {
    if (error instanceof Errno) return this.#reply.refuse(error.number);
    this.#options.log.error("a filesystem operation failed", {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    this.#reply.refuse(5);
  }

  #entry(node: Node, extra: number) {
    this.#fillEntry(node, 4);
    this.#reply.ok(ENTRY_OUT_SIZE + extra);
  }

  #fillEntry(node: Node, word: number) {
    this.#nodes.remember(node);
    this.#reply.entry(node, this.#nodes.numberOf(node), this.#ttlOf(node), word);
  }

  #attributes(node: Node) {
    this.#reply.attributes(node, this.#nodes.numberOf(node), this.#ttlOf(node));
  }

  #ttlOf(node: Node): Ttl {
    return node.fixed ? this.#fixedTtl : NO_TTL;
  }
}

function openOptions(flags: number): OpenOptions {
  const mode = flags & O.ACCMODE;
  return {
    read: mode !== O.WRONLY,
    write: mode !== O.RDONLY,
    append: (flags & O.APPEND) !== 0,
    truncate: (flags & O.TRUNC) !== 0,
  };
}
