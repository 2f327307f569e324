import type { Entry } from "../tree/node.ts";
import { DIRENT_HEADER_SIZE, UNKNOWN_INO } from "./abi.ts";

const TYPE = { directory: 4, file: 8, symlink: 10 } as const;

/** A listing in the kernel's record format, made once for a listing and read by slices. */
export interface Dirents {
  readonly bytes: Uint8Array;
  /** Where each record begins, and at last the total. */
  readonly starts: Uint32Array;
}

/**
 * Encode a listing with `.` and `..` first. The cookie of a record is the byte offset of the next one, so that a
 * continued READDIR is a slice of this buffer.
 */
export function encodeDirents(self: number, entries: readonly Entry[]): Dirents {
  const all: Entry[] = [
    { name: ".", type: "directory", ino: self },
    { name: "..", type: "directory", ino: 0 },
    ...entries,
  ];
  const names = all.map((entry) => Buffer.from(entry.name));
  let total = 0;
  for (const name of names) total += (DIRENT_HEADER_SIZE + name.length + 7) & ~7;
  const bytes = new Uint8Array(total);
  const words = new Uint32Array(bytes.buffer);
  const starts = new Uint32Array(all.length + 1);
  let at = 0;
  for (let i = 0; i < all.length; i++) {
    const name = names[i]!;
    const entry = all[i]!;
    starts[i] = at;
    const next = at + ((DIRENT_HEADER_SIZE + name.length + 7) & ~7);
    const word = at >> 2;
    words[word] = entry.ino === 0 ? UNKNOWN_INO : entry.ino;
    words[word + 2] = next;
    words[word + 4] = name.length;
    words[word + 5] = TYPE[entry.type];
    bytes.set(name, at + DIRENT_HEADER_SIZE);
    at = next;
  }
  starts[all.length] = total;
  return { bytes, starts };
}

/** The records from `offset` on that fit into `size` bytes; empty at the end, or for an offset that was never given. */
export function sliceDirents(dirents: Dirents, offset: number, size: number): Uint8Array {
  const { starts, bytes } = dirents;
  const first = indexAtMost(starts, offset);
  if (starts[first] !== offset) return bytes.subarray(0, 0);
  const last = indexAtMost(starts, offset + size);
  return bytes.subarray(offset, starts[last]);
}

/** The index of the greatest start that is not above `value`. */
function indexAtMost(starts: Uint32Array, value: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
