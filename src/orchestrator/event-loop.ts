import type { Clock } from "../base/clock.ts";
import { coalesce } from "../base/coalesce.ts";
import { toFailure } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import {
  countFailedDelivery,
  deliverEvent,
  type EnginePort,
  isStoreTrouble,
  nextEvents,
  type Store,
} from "../store/index.ts";

/** Correctness does not rest on being told: every second the store itself is asked. */
const CATCH_UP_MS = 1000;

interface Needs {
  store: Store;
  clock: Clock;
  log: Log;
  lanes?: readonly string[];
}

/** Events of one commit. */
const BATCH = 64;

/** Handles events in the order in which they came in: each starts its workflow, or goes to the tasks that listen for it. */
export class EventLoop {
  readonly #needs: Needs;
  readonly #engine: EnginePort;
  readonly #unlisten: () => void;
  readonly #catchUp: ReturnType<typeof setInterval>;
  readonly #wake = coalesce(() => this.#deliver());
  #stopped = false;

  constructor(needs: Needs, engine: EnginePort) {
    this.#needs = needs;
    this.#engine = engine;
    this.#unlisten = needs.store.listen((topic) => {
      if (topic === "inbox") this.#wake();
    });
    this.#catchUp = setInterval(this.#wake, CATCH_UP_MS);
    this.#wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#unlisten();
    clearInterval(this.#catchUp);
  }

  async #deliver(): Promise<void> {
    const { store, log } = this.#needs;
    try {
      // Looked up anew each time: an event of many listeners is handled in parts, one that failed is tried again.
      while (!this.#stopped) {
        const next = store.read(nextEvents, { limit: BATCH, lanes: this.#needs.lanes ?? null });
        if (next.length === 0) return;
        // Queued together they share a commit, in their order; one that throws leaves the others.
        await Promise.all(next.map((seq) => this.#deliverOne(seq)));
      }
    } catch (error) {
      if (!this.#stopped) log.error("events could not be delivered", { error: String(error) });
    }
  }

  async #deliverOne(seq: number): Promise<void> {
    const { store, clock, log } = this.#needs;
    try {
      await store.write(deliverEvent, { engine: this.#engine, seq, now: clock.wall() });
    } catch (error) {
      const failure = toFailure(error);
      if (this.#stopped || isStoreTrouble(error)) throw error;
      const reason = failure.message;
      if (await store.write(countFailedDelivery, { seq, reason, now: clock.wall() }))
        log.error("an event could not be handled and was set aside", { seq, error: reason });
    }
  }
}
