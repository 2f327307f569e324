import { toFailure } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { EffectiveConfig } from "./config.ts";
import { FEW_FILES, type Room, roomOf } from "./disk-room.ts";

/** A task that writes to the runner's disk. */
export interface DiskUser {
  readonly leaseId: string;
  readonly directories: readonly string[];
  /** End it at once. */
  stop(): void;
}

const TICK_MS = 250;
/** After a look that found nobody: going through workspaces is work for the disk too. */
const REST_MS = 5_000;

/** How long it may take to count: whoever made so many files that it takes longer has made the most. */
const COUNT_MS = 5_000;

/** What directories take up, themselves with them; what is not there takes up nothing. */
export async function usedBy(directories: readonly string[], countMs = COUNT_MS): Promise<Room> {
  const sum = async (...how: string[]): Promise<number> => {
    const du = Bun.spawn(["du", "-sx", ...how, "--", ...directories], {
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
      stdio: ["ignore", "pipe", "ignore"],
      timeout: countMs,
      killSignal: "SIGKILL",
    });
    const [text] = await Promise.all([du.stdout.text(), du.exited]);
    if (du.signalCode !== null) return Number.POSITIVE_INFINITY;
    const lines = text.split("\n");
    return lines.reduce((total, line) => total + (Number.parseInt(line, 10) || 0), 0);
  };
  const [bytes, files] = await Promise.all([sum("--block-size=1"), sum("--inodes")]);
  return { bytes, files };
}

/**
 * A workspace is a directory of the runner's disk, which knows no quota for it. Where that disk runs out of space or of
 * files, the task that takes up most of it is stopped, so that one task is not the end of all others.
 */
export function guardDisk(
  config: Pick<EffectiveConfig, "dataDirectory" | "minimumFreeBytes">,
  users: () => readonly DiskUser[],
  log: Log,
): { close(): void } {
  // New work stops at the whole of it; what runs may use half of the rest.
  const fewBytes = config.minimumFreeBytes / 2;
  const stopped = new Set<string>();
  let isLooking = false;
  let restUntil = 0;
  const look = async (): Promise<void> => {
    const room = roomOf(config.dataDirectory);
    const lacksBytes = room.bytes < fewBytes;
    if (!lacksBytes && room.files >= FEW_FILES) return;
    const running = users();
    // One at a time: its end may be enough.
    if (running.some(({ leaseId }) => stopped.has(leaseId))) return;
    const measured = await Promise.all(
      running.map(async (user) => ({ user, used: await usedBy(user.directories) })),
    );
    const amount = ({ used }: { used: Room }) => (lacksBytes ? used.bytes : used.files);
    const [largest] = measured.sort((a, b) => amount(b) - amount(a));
    // A disk that somebody else has filled is not mended by ending a task.
    if (largest === undefined || amount(largest) < (lacksBytes ? fewBytes : FEW_FILES)) {
      restUntil = performance.now() + REST_MS;
      return;
    }
    const { leaseId } = largest.user;
    log.warn("a task that fills the disk is stopped", { lease: leaseId, ...largest.used });
    stopped.add(leaseId);
    largest.user.stop();
  };
  const timer = setInterval(() => {
    if (isLooking || performance.now() < restUntil) return;
    isLooking = true;
    look()
      .catch((error) => log.warn("the disk cannot be watched", { reason: toFailure(error).message }))
      .finally(() => {
        isLooking = false;
      });
  }, TICK_MS);
  timer.unref?.();
  return { close: () => clearInterval(timer) };
}
