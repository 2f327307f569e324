import type { ExchangeStore, RequestRow } from "./store/store.ts";

/** The files of one request, as bits of what was removed. */
export const FilePart = { request: 1, fingerprint: 2, route: 4, result: 8, stream: 16 } as const;
export type FilePartName = keyof typeof FilePart;
export const ALL_HIDDEN = 31;

/** The text that a running request has streamed so far. */
class LiveStream {
  #data = new Uint8Array(1024);
  #size = 0;
  time = 0;
  append(text: string, time: number): void {
    const bytes = Buffer.from(text);
    if (this.#size + bytes.length > this.#data.length) {
      const grown = new Uint8Array(Math.max(this.#data.length * 2, this.#size + bytes.length));
      grown.set(this.#data.subarray(0, this.#size));
      this.#data = grown;
    }
    this.#data.set(bytes, this.#size);
    this.#size += bytes.length;
    this.time = time;
  }
  bytes(): Uint8Array {
    return this.#data.subarray(0, this.#size);
  }
}

/** The requests of one directory pair: ids in the order of their commits. */
export interface Surface {
  readonly rows: Map<string, RequestRow>;
  /** When a name last came or went. */
  time: number;
}

export const isPending = (row: RequestRow): boolean => row.state === "queued" || row.state === "running";

/** The index of all visible requests. */
export class Requests {
  readonly #surfaces = new Map<string, Surface>();
  readonly #live = new Map<RequestRow, LiveStream>();
  readonly #waiting = new Map<RequestRow, Set<() => void>>();
  readonly #now: () => number;

  constructor(store: ExchangeStore, now: () => number) {
    this.#now = now;
    for (const row of store.requests()) this.surface(row.uid, row.surface).rows.set(row.id, row);
  }

  surface(uid: number, name: string): Surface {
    const key = `${uid}/${name}`;
    let surface = this.#surfaces.get(key);
    if (surface === undefined) {
      surface = { rows: new Map(), time: this.#now() };
      this.#surfaces.set(key, surface);
    }
    return surface;
  }

  /** All rows that wait or run. */
  pending(): RequestRow[] {
    return [...this.#surfaces.values()].flatMap((surface) => [...surface.rows.values()].filter(isPending));
  }

  all(uid: number): RequestRow[] {
    return [...this.#surfaces]
      .filter(([key]) => key.startsWith(`${uid}/`))
      .flatMap(([, surface]) => [...surface.rows.values()]);
  }

  put(row: RequestRow): void {
    const surface = this.surface(row.uid, row.surface);
    surface.rows.delete(row.id);
    surface.rows.set(row.id, row);
    surface.time = this.#now();
  }

  drop(row: RequestRow): void {
    const surface = this.surface(row.uid, row.surface);
    if (surface.rows.get(row.id) === row) surface.rows.delete(row.id);
    surface.time = this.#now();
  }

  live(row: RequestRow): LiveStream | undefined {
    return this.#live.get(row);
  }

  openStream(row: RequestRow): LiveStream {
    const stream = this.#live.get(row) ?? new LiveStream();
    this.#live.set(row, stream);
    this.surface(row.uid, row.surface).time = this.#now();
    return stream;
  }

  /** The row has its outcome: wake those who wait for it. */
  finished(row: RequestRow): void {
    this.#live.delete(row);
    this.surface(row.uid, row.surface).time = this.#now();
    const waiting = this.#waiting.get(row);
    this.#waiting.delete(row);
    for (const wake of waiting ?? []) wake();
  }

  /** Settles when the row has its outcome, or rejects with the signal's reason. */
  outcome(row: RequestRow, signal?: AbortSignal): Promise<void> {
    if (!isPending(row)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const set = this.#waiting.get(row) ?? new Set();
      this.#waiting.set(row, set);
      set.add(resolve);
      signal?.addEventListener("abort", () => {
        set.delete(resolve);
        reject(signal.reason);
      });
    });
  }
}
