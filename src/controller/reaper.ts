import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { hasLateLeases, reapLeases, type Store } from "../store/index.ts";

const TICK_MS = 1000;
const BATCH = 200;

/** Every second, end the leases that ran out. The server's clock decides, nothing a runner says. */
export function startReaper(store: Store, clock: Clock, log: Log): () => void {
  let busy = false;
  const timer = setInterval(async () => {
    if (busy) return;
    busy = true;
    try {
      for (;;) {
        if (!store.read(hasLateLeases, { now: clock.wall() })) break;
        const count = await store.write(reapLeases, { now: clock.wall(), limit: BATCH });
        if (count > 0) log.info("leases ran out", { count });
      }
    } catch (error) {
      log.error("the lease reaper failed", { error: String(error) });
    } finally {
      busy = false;
    }
  }, TICK_MS);
  return () => clearInterval(timer);
}
