import type { Clock } from "../base/clock.ts";
import type { EffectiveConfig } from "./config.ts";
import { lackOf, roomOf } from "./disk-room.ts";
import type { Journal } from "./journal/journal.ts";

const TICK_MS = 250;
const STALLED_MS = 2_000;
/** More leases than this that cannot be cleaned up: something is wrong that more work would only make worse. */
const BACKLOG_LIMIT = 8;

export interface Health {
  /** Why the runner should get no work, or null. */
  trouble(): string | null;
  /** Whether the event loop has stood still, and with it what ends tasks in time. */
  isStalled(): boolean;
  /** Leases that are reported but not cleaned up. */
  cleanupBacklog(): number;
  close(): void;
}

/** The runner's opinion of itself, on the monotonic clock. */
export function watchHealth(
  config: EffectiveConfig,
  journal: Journal,
  clock: Clock,
  /** Leases that are being cleaned up at this moment: no backlog yet. */
  settling: () => number,
): Health {
  let lastTick = clock.monotonic();
  const timer = setInterval(() => {
    lastTick = clock.monotonic();
    // A runner in trouble writes nothing by itself that would show the end of it.
    if (journal.trouble !== null) void journal.retry();
  }, TICK_MS);
  timer.unref?.();
  const cleanupBacklog = () => Math.max(0, journal.count("TERMINAL_REPORTED") - settling());
  const isStalled = () => clock.monotonic() - lastTick > STALLED_MS;
  return {
    cleanupBacklog,
    isStalled,
    trouble() {
      if (journal.trouble !== null) return `the journal cannot be written: ${journal.trouble.message}`;
      if (isStalled()) return "the runner is stalled";
      if (cleanupBacklog() > BACKLOG_LIMIT) return "too many leases could not be cleaned up";
      try {
        const lacks = lackOf(roomOf(config.dataDirectory), config.minimumFreeBytes);
        if (lacks !== null) return `the disk of ${config.dataDirectory} has no ${lacks} left`;
      } catch (error) {
        return `${config.dataDirectory} cannot be examined: ${(error as Error).message}`;
      }
      return null;
    },
    close: () => clearInterval(timer),
  };
}
