import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { type EnginePort, fireTimers, nextTimer, type Store } from "../store/index.ts";

const BATCH = 200;
/** The longest sleep: a wall clock that jumps is noticed within it. */
const LONGEST_MS = 1000;

/** Fires timers when they are due; those due while the process was down fire once at start. */
export class TimerLoop {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #engine: EnginePort;
  readonly #unlisten: () => void;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #firing = false;
  #stopped = false;

  constructor(needs: { store: Store; clock: Clock; log: Log }, engine: EnginePort) {
    this.#store = needs.store;
    this.#clock = needs.clock;
    this.#log = needs.log;
    this.#engine = engine;
    this.#unlisten = needs.store.listen((topic) => {
      if (topic === "timer" && !this.#firing) this.#arm();
    });
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#unlisten();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #arm(): void {
    if (this.#stopped) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const next = this.#store.read(nextTimer, null);
    const wait = next === null ? LONGEST_MS : Math.min(LONGEST_MS, Math.max(0, next - this.#clock.wall()));
    this.#timer = setTimeout(() => void this.#fire(), wait);
  }

  async #fire(): Promise<void> {
    this.#timer = null;
    this.#firing = true;
    try {
      for (;;) {
        const next = this.#store.read(nextTimer, null);
        if (next === null || next > this.#clock.wall()) break;
        await this.#store.write(fireTimers, { engine: this.#engine, now: this.#clock.wall(), limit: BATCH });
      }
    } catch (error) {
      this.#log.error("timers could not be fired", { error: String(error) });
    } finally {
      this.#firing = false;
      this.#arm();
    }
  }
}
