import type { Clock } from "../base/clock.ts";
import { toFailure } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import {
  dueTimers,
  type EnginePort,
  fireTimer,
  fireTimers,
  isStoreTrouble,
  nextTimer,
  postponeTimer,
  type Store,
} from "../store/index.ts";

const BATCH = 200;
/** A timer that cannot be fired is tried again after this. */
const POSTPONE_MS = 60_000;
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
        await this.#fireBatch();
      }
    } catch (error) {
      this.#log.error("timers could not be fired", { error: String(error) });
    } finally {
      this.#firing = false;
      this.#arm();
    }
  }

  /** All that is due in one commit; where one of them cannot be fired, each by itself. */
  async #fireBatch(): Promise<void> {
    const now = this.#clock.wall();
    try {
      await this.#store.write(fireTimers, { engine: this.#engine, now, limit: BATCH });
    } catch (error) {
      if (this.#stopped || isStoreTrouble(error)) throw error;
      const due = this.#store.read(dueTimers, { now, limit: BATCH });
      await Promise.all(due.map((timer) => this.#fireOne(timer.instance_id, timer.effect_id, now)));
    }
  }

  async #fireOne(instanceId: string, effectId: string, now: number): Promise<void> {
    try {
      await this.#store.write(fireTimer, { engine: this.#engine, instanceId, effectId, now });
    } catch (error) {
      if (this.#stopped || isStoreTrouble(error)) throw error;
      const reason = toFailure(error).message;
      this.#log.error("a timer could not be fired and waits", { instance: instanceId, error: reason });
      await this.#store.write(postponeTimer, { instanceId, effectId, until: now + POSTPONE_MS, reason, now });
    }
  }
}
