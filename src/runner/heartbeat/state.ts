import type { Log } from "../../base/log.ts";
import { binaryDigest, currentDigest } from "../binary-digest.ts";
import type { ProvenBrowser } from "../browser/prove.ts";
import type { EffectiveConfig } from "../config.ts";
import type { Health } from "../health.ts";
import type { LeasesInHand } from "../in-hand.ts";
import type { Journal } from "../journal/journal.ts";
import type { RunnerState } from "./loop.ts";

interface About {
  readonly config: EffectiveConfig;
  readonly inHand: LeasesInHand;
  readonly health: Health;
  readonly journal: Journal;
  readonly isDraining: boolean;
  /** Its controller is in this very process. */
  readonly embedded: boolean;
  /** That of the executable, as it was at the start. */
  readonly digest: string;
  readonly browser: ProvenBrowser | null;
  readonly log: Log;
}

/** What a heartbeat says of the runner. */
export async function runnerState(about: About): Promise<RunnerState> {
  const { config, inHand, health, journal, embedded, digest, browser } = about;
  const trouble = health.trouble();
  if (trouble !== null) about.log.warn("unhealthy", { reason: trouble });
  const freeSlots = Math.max(0, config.slots - inHand.active);
  const status = about.isDraining ? "draining" : freeSlots === 0 ? "busy" : "ready";
  // Before anything is waited for: the journal may be closed then.
  const cleanupBacklog = health.cleanupBacklog();
  return {
    runnerId: config.runnerId,
    status: trouble === null ? status : "unhealthy",
    configHash: config.configHash,
    commandAllowlistHash: config.commandAllowlistHash,
    ...(config.imageDigest === undefined ? {} : { imageDigest: config.imageDigest }),
    // That of the file as it stands now: one that was exchanged under a running runner is found out.
    binaryDigest: embedded ? digest : await binaryDigest(journal).catch(() => digest),
    ...(browser === null ? {} : { browserDigest: embedded ? browser.digest : await currentDigest(browser) }),
    watchdog: health.isStalled() ? "stalled" : "ok",
    journal: journal.trouble === null ? "ok" : "failed",
    activeLeases: inHand.all().map(({ lease, state }) => ({
      leaseId: lease.leaseId,
      attempt: lease.attempt,
      fencingToken: lease.fencingToken,
      state,
    })),
    freeSlots,
    cleanupBacklog,
  };
}
