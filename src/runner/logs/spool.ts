import { closeSync, existsSync, openSync, readFileSync, readSync, statSync, writeSync } from "node:fs";
import type { Failure } from "../../base/errors.ts";
import type { LogStream } from "../../protocol/index.ts";

/** One chunk: it ends at `end` (a byte offset); a final one is the last of its stream. */
export interface Cut {
  readonly end: number;
  readonly final: boolean;
}

/** The record of a cut is its offset as 8 bytes, little-endian, with the top bit for `final`. */
const FINAL_BIT = 1n << 63n;

/**
 * The whole redacted log of one stream, on disk. It stands between the task and the network: a controller that is
 * away costs disk, not memory, and never stops the task.
 *
 * Beside it lies the list of cuts, written before a chunk is sent: after a crash the
 * same sequence number must mean the same bytes.
 */
export class Spool {
  readonly stream: LogStream;
  readonly path: string;
  readonly #file: number;
  readonly #cutFile: number;
  readonly #cuts: Cut[];
  #size: number;
  #ended = false;
  #failure: Failure | null = null;
  #wake: (() => void) | null = null;

  constructor(directory: string, stream: LogStream) {
    this.stream = stream;
    this.path = `${directory}/${stream}.log`;
    const cutPath = `${directory}/${stream}.cuts`;
    this.#cuts = existsSync(cutPath) ? readCuts(cutPath) : [];
    this.#file = openSync(this.path, "a+", 0o600);
    this.#cutFile = openSync(cutPath, "a", 0o600);
    this.#size = statSync(this.path).size;
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get cuts(): readonly Cut[] {
    return this.#cuts;
  }

  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
    this.#size += bytes.length;
    this.#notify();
  }

  /** Why it does not hold all that came, or null. */
  get failure(): Failure | null {
    return this.#failure;
  }

  /** What came from here on is not in it. */
  fail(failure: Failure): void {
    this.#failure ??= failure;
    this.#notify();
  }

  /** Nothing more will come. */
  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** @param into memory to read into, which the answer is then a part of */
  read(
    from: number,
    to: number,
    into: Uint8Array<ArrayBuffer> = new Uint8Array(to - from),
  ): Uint8Array<ArrayBuffer> {
    const bytes = into.subarray(0, to - from);
    let at = 0;
    while (at < bytes.length) {
      const count = readSync(this.#file, bytes, at, bytes.length - at, from + at);
      if (count === 0) break;
      at += count;
    }
    return bytes.subarray(0, at);
  }

  /** Record where the next chunk ends. */
  cut(cut: Cut): void {
    const record = Buffer.alloc(8);
    record.writeBigUInt64LE(BigInt(cut.end) | (cut.final ? FINAL_BIT : 0n));
    writeSync(this.#cutFile, record);
    this.#cuts.push(cut);
  }

  /** Resolves at the next `append` or `end`. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      const earlier = this.#wake;
      this.#wake = () => {
        earlier?.();
        resolve();
      };
    });
  }

  close(): void {
    closeSync(this.#file);
    closeSync(this.#cutFile);
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

function readCuts(path: string): Cut[] {
  const bytes = readFileSync(path);
  const cuts: Cut[] = [];
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const record = bytes.readBigUInt64LE(at);
    cuts.push({ end: Number(record & ~FINAL_BIT), final: (record & FINAL_BIT) !== 0n });
  }
  return cuts;
}

/** How many bytes at the end are the beginning of an unfinished UTF-8 character (0 to 3). */
export function unfinishedTail(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return back < length ? back : 0;
    }
  }
  return 0;
}
