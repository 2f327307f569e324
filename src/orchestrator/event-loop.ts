import type { Clock } from "../base/clock.ts";
import { toFailure } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { deliverEvent, type EnginePort, nextEvent, type Store, setEventAside } from "../store/index.ts";

/** Correctness does not rest on being told: every second the store itself is asked. */
const CATCH_UP_MS = 1000;

interface Needs {
  store: Store;
  clock: Clock;
  log: Log;
}

/** Gives events to the tasks that listen for them, in the order in which they came in. */
export class EventLoop {
  readonly #needs: Needs;
  readonly #engine: EnginePort;
  readonly #unlisten: () => void;
  readonly #catchUp: ReturnType<typeof setInterval>;
  #working = false;
  #stopped = false;

  constructor(needs: Needs, engine: EnginePort) {
    this.#needs = needs;
    this.#engine = engine;
    this.#unlisten = needs.store.listen((topic) => {
      if (topic === "inbox") void this.#deliver();
    });
    this.#catchUp = setInterval(() => void this.#deliver(), CATCH_UP_MS);
    void this.#deliver();
  }

  stop(): void {
    this.#stopped = true;
    this.#unlisten();
    clearInterval(this.#catchUp);
  }

  async #deliver(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    const { store, clock, log } = this.#needs;
    try {
      // Looked up anew each time, so what came in meanwhile needs no second wake-up.
      for (let seq = this.#next(); seq !== null; seq = this.#next()) {
        try {
          await store.write(deliverEvent, { engine: this.#engine, seq, now: clock.wall() });
        } catch (error) {
          const failure = toFailure(error);
          if (failure.retry === "safe" || this.#stopped) throw error;
          log.error("an event could not be delivered and was set aside", { seq, error: failure.message });
          await store.write(setEventAside, { seq, reason: failure.message });
        }
      }
    } catch (error) {
      if (!this.#stopped) log.error("events could not be delivered", { error: String(error) });
    } finally {
      this.#working = false;
    }
  }

  #next(): number | null {
    return this.#stopped ? null : this.#needs.store.read(nextEvent, null);
  }
}
