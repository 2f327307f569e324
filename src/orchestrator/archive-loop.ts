import type { Artifacts } from "../artifacts/index.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { archiveHistories, type Store } from "../store/index.ts";

/** Histories are days old: an hour more does not matter. */
const EVERY_MS = 3_600_000;
/** The first look leaves a host that has just started to its runs. */
const FIRST_MS = 60_000;
const DAY_MS = 86_400_000;

/** Moves the histories of runs that ended long ago into artifacts. */
export class ArchiveLoop {
  readonly #stopping = new AbortController();
  #timer: ReturnType<typeof setTimeout>;

  constructor(needs: { store: Store; artifacts: Artifacts; clock: Clock; log: Log }, days: number) {
    const work = async (): Promise<void> => {
      const now = needs.clock.wall();
      try {
        const parts = { ...needs, now, endedBefore: now - days * DAY_MS, signal: this.#stopping.signal };
        const { moved, bytes } = await archiveHistories(parts);
        if (moved > 0) needs.log.info("histories were moved into artifacts", { moved, bytes });
      } catch (error) {
        if (!this.#stopping.signal.aborted)
          needs.log.error("histories could not be moved into artifacts", { error: String(error) });
      }
      if (!this.#stopping.signal.aborted) this.#timer = setTimeout(work, EVERY_MS);
    };
    this.#timer = setTimeout(work, FIRST_MS);
  }

  stop(): void {
    this.#stopping.abort();
    clearTimeout(this.#timer);
  }
}
