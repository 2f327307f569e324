import type { Directive } from "../protocol/index.ts";
import { directivesOf, type Store } from "../store/index.ts";

/** Heartbeats whose answers are held back, so that a directive reaches its runner at once. */
export class HeartbeatDesk {
  readonly #store: Store;
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #unlisten: () => void;

  constructor(store: Store) {
    this.#store = store;
    this.#unlisten = store.listen((topic, keys) => {
      if (topic !== "session") return;
      for (const [session, wakers] of this.#waiting) {
        if (keys.size === 0 || keys.has(session)) for (const wake of [...wakers]) wake();
      }
    });
  }

  /** What a session must be told, waiting up to `waitMs` while there is nothing. */
  async directives(sessionId: string, waitMs: number, signal: AbortSignal): Promise<Directive[]> {
    const read = () => this.#store.read(directivesOf, { sessionId }) as Directive[];
    const first = read();
    if (first.length > 0 || waitMs === 0) return first;
    await new Promise<void>((resolve) => {
      const wakers = this.#waiting.get(sessionId) ?? new Set();
      this.#waiting.set(sessionId, wakers);
      const wake = () => {
        clearTimeout(timer);
        wakers.delete(wake);
        if (wakers.size === 0) this.#waiting.delete(sessionId);
        resolve();
      };
      const timer = setTimeout(wake, waitMs);
      signal.addEventListener("abort", wake, { once: true });
      wakers.add(wake);
    });
    return read();
  }

  close(): void {
    this.#unlisten();
    for (const wakers of [...this.#waiting.values()]) for (const wake of [...wakers]) wake();
  }
}
