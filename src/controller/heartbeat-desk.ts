import type { Log } from "../base/log.ts";
import type { Directive } from "../protocol/index.ts";
import { directivesOf, type Store, touchSessions } from "../store/index.ts";

/** That sessions live is written this often, for all of them in one transaction. */
const FLUSH_MS = 1_000;

/** Heartbeats whose answers are held back, so that a directive reaches its runner at once. */
export class HeartbeatDesk {
  readonly #store: Store;
  readonly #log: Log;
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #unlisten: () => void;
  #seen = new Map<string, number>();
  #flush: ReturnType<typeof setTimeout> | null = null;
  #closed = false;

  constructor(store: Store, log: Log) {
    this.#store = store;
    this.#log = log;
    this.#unlisten = store.listen((topic, keys) => {
      if (topic !== "session") return;
      if (keys.size === 0)
        for (const wakers of this.#waiting.values()) for (const wake of [...wakers]) wake();
      else for (const key of keys) for (const wake of [...(this.#waiting.get(key) ?? [])]) wake();
    });
  }

  /** A session lives, and said nothing new. A crash forgets at most the last second of this. */
  seen(sessionId: string, at: number): void {
    this.#seen.set(sessionId, at);
    this.#flush ??= setTimeout(() => this.#write(), FLUSH_MS);
  }

  #write(): void {
    this.#flush = null;
    const seen = this.#seen;
    this.#seen = new Map();
    this.#store.write(touchSessions, seen).catch((error: unknown) => {
      this.#log.error("heartbeats could not be noted", { error: String(error) });
    });
  }

  /** What a session must be told, waiting up to `waitMs` while there is nothing; one that has ended waits no longer. */
  async directives(sessionId: string, waitMs: number, signal: AbortSignal): Promise<Directive[]> {
    const end = performance.now() + waitMs;
    for (;;) {
      const told = this.#store.read(directivesOf, { sessionId });
      const left = end - performance.now();
      if (told === null) return [];
      if (told.length > 0 || left <= 0 || signal.aborted || this.#closed) return told as Directive[];
      // Another process's commit wakes everybody: most have nothing to hear, and wait on.
      await this.#woken(sessionId, left, signal);
    }
  }

  #woken(sessionId: string, waitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wakers = this.#waiting.get(sessionId) ?? new Set();
      this.#waiting.set(sessionId, wakers);
      const wake = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
        wakers.delete(wake);
        if (wakers.size === 0) this.#waiting.delete(sessionId);
        resolve();
      };
      const timer = setTimeout(wake, waitMs);
      signal.addEventListener("abort", wake, { once: true });
      wakers.add(wake);
    });
  }

  close(): void {
    this.#closed = true;
    this.#unlisten();
    if (this.#flush !== null) {
      clearTimeout(this.#flush);
      this.#write();
    }
    for (const wakers of [...this.#waiting.values()]) for (const wake of [...wakers]) wake();
  }
}
