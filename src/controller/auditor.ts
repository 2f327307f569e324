import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { askForSnapshots, forgetSessions, nextAudit, type Store } from "../store/index.ts";

const TICK_MS = 1000;
const BATCH = 200;
const FORGET_MS = 3_600_000;
/** Closed sessions are kept this long, so that a late message of one still names its runner in the audit. */
const KEPT_MS = 7 * 86_400_000;

/** Every second, ask the runners that are due for a deep audit, and follow up on those that did not answer. */
export function startAuditor(store: Store, clock: Clock, log: Log): () => void {
  let busy = false;
  let forgotten = clock.monotonic();
  const timer = setInterval(async () => {
    if (busy) return;
    busy = true;
    try {
      const due = store.read(nextAudit, null);
      if (due !== null && due <= clock.wall()) {
        await store.write(askForSnapshots, { now: clock.wall(), limit: BATCH });
      }
      if (clock.monotonic() - forgotten > FORGET_MS) {
        forgotten = clock.monotonic();
        await store.write(forgetSessions, { before: clock.wall() - KEPT_MS });
      }
    } catch (error) {
      log.error("the auditor failed", { error: String(error) });
    } finally {
      busy = false;
    }
  }, TICK_MS);
  return () => clearInterval(timer);
}
