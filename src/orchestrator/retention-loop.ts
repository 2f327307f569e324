import type { Artifacts } from "../artifacts/index.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { noteOrphans, type Store, sweepArtifacts } from "../store/index.ts";

/** What is over is refused at once, by its time; its bytes go within a minute. */
const EVERY_MS = 60_000;
/** The first look leaves a host that has just started to its runs. */
const FIRST_MS = 15_000;

/** Stored files that are looked at each minute for those that nothing names: a million in a day and a half. */
const LOOKS = 512;

interface Needs {
  store: Store;
  artifacts: Artifacts;
  clock: Clock;
  log: Log;
  removeSpool(target: string): Promise<void>;
}

/** Removes what policy keeps no longer. */
export class RetentionLoop {
  readonly #stopping = new AbortController();
  /** Where the next look at stored files begins. */
  #orphansAfter: string;
  #timer: ReturnType<typeof setTimeout>;

  constructor({ store, artifacts, clock, log, removeSpool }: Needs) {
    // One that is often started anew has its turn with all of them nevertheless.
    this.#orphansAfter = (Math.floor(clock.wall() / EVERY_MS) % 256).toString(16).padStart(2, "0");
    const work = async (): Promise<void> => {
      const { signal } = this.#stopping;
      try {
        this.#orphansAfter =
          (await noteOrphans({ store, artifacts, now: clock.wall() }, this.#orphansAfter, LOOKS)) ?? "";
        const swept = await sweepArtifacts({ store, artifacts, removeSpool, now: clock.wall(), signal });
        if (swept.expired + swept.removed + swept.quarantined > 0)
          log.info("artifacts were removed that nothing keeps", { ...swept });
      } catch (error) {
        if (!signal.aborted) log.error("artifacts could not be removed", { error: String(error) });
      }
      if (!signal.aborted) this.#timer = setTimeout(work, EVERY_MS);
    };
    this.#timer = setTimeout(work, FIRST_MS);
  }

  stop(): void {
    this.#stopping.abort();
    clearTimeout(this.#timer);
  }
}
