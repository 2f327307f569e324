import type { Handle, Node } from "../tree/node.ts";
import {
  ATTR_OUT_SIZE,
  FOPEN_DIRECT_IO,
  FOPEN_NOFLUSH,
  GETXATTR_OUT_SIZE,
  NAME_MAX,
  OPEN_OUT_SIZE,
  OUT_HEADER_SIZE,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
  STATFS_OUT_SIZE,
  WRITE_OUT_SIZE,
} from "./abi.ts";
import { errno } from "./errno.ts";

/** Where replies go. `send` gives the first bytes of the output buffer, `sendWith` adds a payload that is only lent. */
export interface Sink {
  send(length: number): void;
  sendWith(length: number, payload: Uint8Array): void;
}

/** How long the kernel may keep what it is told. */
export interface Ttl {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Above this a payload is sent from where it lies instead of being copied. */
const COPY_LIMIT = 65_536;
const BLOCK = 4096;
const TYPE_BITS = { directory: S_IFDIR, file: S_IFREG, symlink: S_IFLNK } as const;

/**
 * Encodes replies into the one output buffer. `words` are its 32-bit words: the header takes the first four, a body
 * begins at the fifth. 64-bit fields are two words, since a BigInt would cost ten times as much.
 */
export class Reply {
  readonly words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #sink: Sink;
  /** The request that is answered. */
  uniqueLow = 0;
  uniqueHigh = 0;

  constructor(output: ArrayBuffer, sink: Sink) {
    this.words = new Uint32Array(output);
    this.#bytes = new Uint8Array(output);
    this.#sink = sink;
  }

  /** Refuse with an error number. */
  refuse(number: number) {
    const out = this.words;
    out[0] = OUT_HEADER_SIZE;
    out[1] = -number;
    out[2] = this.uniqueLow;
    out[3] = this.uniqueHigh;
    this.#sink.send(OUT_HEADER_SIZE);
  }

  /** Send the reply whose body of `size` bytes already lies behind the header. */
  ok(size: number) {
    const out = this.words;
    out[0] = OUT_HEADER_SIZE + size;
    out[1] = 0;
    out[2] = this.uniqueLow;
    out[3] = this.uniqueHigh;
    this.#sink.send(OUT_HEADER_SIZE + size);
  }

  payload(data: Uint8Array) {
    if (data.length <= COPY_LIMIT) {
      this.#bytes.set(data, OUT_HEADER_SIZE);
      return this.ok(data.length);
    }
    const out = this.words;
    out[0] = OUT_HEADER_SIZE + data.length;
    out[1] = 0;
    out[2] = this.uniqueLow;
    out[3] = this.uniqueHigh;
    this.#sink.sendWith(OUT_HEADER_SIZE, data);
  }

  /** The answer to the extended attribute calls: the size alone, or the bytes if they fit. */
  sized(data: Uint8Array, room: number) {
    if (room === 0) {
      this.words[4] = data.length;
      this.words[5] = 0;
      return this.ok(GETXATTR_OUT_SIZE);
    }
    if (data.length > room) throw errno("ERANGE");
    this.payload(data);
  }

  /** Begin the answer to whatever gives out a node: what it is called by, and its attributes. */
  entry(node: Node, number: number, { seconds, nanoseconds }: Ttl, word: number) {
    const out = this.words;
    out[word] = node.ino;
    out[word + 1] = 0;
    out[word + 2] = 0;
    out[word + 3] = 0;
    out[word + 4] = seconds;
    out[word + 5] = 0;
    out[word + 6] = seconds;
    out[word + 7] = 0;
    out[word + 8] = nanoseconds;
    out[word + 9] = nanoseconds;
    this.#attributes(node, number, word + 10);
  }

  /** The answer to GETATTR and SETATTR. */
  attributes(node: Node, number: number, { seconds, nanoseconds }: Ttl) {
    const out = this.words;
    out[4] = seconds;
    out[5] = 0;
    out[6] = nanoseconds;
    out[7] = 0;
    this.#attributes(node, number, 8);
    this.ok(ATTR_OUT_SIZE);
  }

  #attributes(node: Node, number: number, word: number) {
    const out = this.words;
    const size = node.size();
    const seconds = Math.floor(node.mtime / 1000);
    const nanoseconds = (node.mtime - seconds * 1000) * 1e6;
    const changed = Math.floor(node.ctime / 1000);
    const blocks = Math.ceil(size / 512);
    out[word] = number;
    out[word + 1] = 0;
    out[word + 2] = size;
    out[word + 3] = size / 2 ** 32;
    out[word + 4] = blocks;
    out[word + 5] = blocks / 2 ** 32;
    out[word + 6] = seconds;
    out[word + 7] = 0;
    out[word + 8] = seconds;
    out[word + 9] = 0;
    out[word + 10] = changed;
    out[word + 11] = 0;
    out[word + 12] = nanoseconds;
    out[word + 13] = nanoseconds;
    out[word + 14] = (node.ctime - changed * 1000) * 1e6;
    out[word + 15] = TYPE_BITS[node.type] | node.mode;
    out[word + 16] = node.links;
    out[word + 17] = node.uid;
    out[word + 18] = node.gid;
    out[word + 19] = 0;
    out[word + 20] = BLOCK;
    out[word + 21] = 0;
  }

  opened(word: number, fd: number, handle: Handle) {
    const out = this.words;
    out[word] = fd;
    out[word + 1] = 0;
    out[word + 2] = handle.flushes === false ? FOPEN_DIRECT_IO | FOPEN_NOFLUSH : FOPEN_DIRECT_IO;
    out[word + 3] = 0;
  }

  /** The answer to OPENDIR. */
  openedDirectory(fd: number) {
    const out = this.words;
    out[4] = fd;
    out[5] = 0;
    out[6] = 0;
    out[7] = 0;
    this.ok(OPEN_OUT_SIZE);
  }

  /** The answer to WRITE: how many bytes were taken. */
  written(taken: number) {
    this.words[4] = taken;
    this.words[5] = 0;
    this.ok(WRITE_OUT_SIZE);
  }

  /** The answer to STATFS. */
  space({ total, free }: { total: number; free: number }, nodes: number) {
    const out = this.words;
    out.fill(0, 4, 4 + STATFS_OUT_SIZE / 4);
    out[4] = Math.floor(total / BLOCK);
    out[6] = Math.floor(free / BLOCK);
    out[8] = Math.floor(free / BLOCK);
    out[10] = nodes;
    out[12] = 1 << 20;
    out[14] = BLOCK;
    out[15] = NAME_MAX;
    out[16] = BLOCK;
    this.ok(STATFS_OUT_SIZE);
  }
}
