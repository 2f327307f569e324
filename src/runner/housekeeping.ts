import { readdirSync } from "node:fs";
import { join } from "node:path";
import { toFailure } from "../base/errors.ts";
import { makePrivateDirectory } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import type { EffectiveConfig } from "./config.ts";
import { removeTree, type Workspaces } from "./files/workspaces.ts";
import type { JournalEntry } from "./journal/entry.ts";
import type { Journal } from "./journal/journal.ts";
import { leasesDirectory } from "./lease/places.ts";
import { recoverLease } from "./lease/recover.ts";
import type { Reporter } from "./lease/reporter.ts";
import type { LeaseServices } from "./lease/services.ts";
import type { Sandboxes } from "./sandbox-choice.ts";

/** What is reported about a lease that an earlier process, or an earlier try, left unfinished. */
export type ReporterOf = (entry: JournalEntry) => Reporter;

export interface Housekeeping {
  /** End what an earlier process of this runner left, before anything new begins. */
  atStart(): Promise<void>;
  /** Remove workspaces that were idle for too long. */
  sweepWorkspaces(): Promise<void>;
  /** Take every unfinished lease to its end, but those that are in hand. */
  recover(services: LeaseServices, reporter: ReporterOf, inHand: ReadonlyMap<string, unknown>): Promise<void>;
  /** Clean up leases that could not be when they were reported. */
  cleanAgain(services: LeaseServices, reporter: ReporterOf, inHand: ReadonlySet<string>): Promise<void>;
}

export function createHousekeeping(
  config: EffectiveConfig,
  journal: Journal,
  workspaces: Workspaces,
  sandboxes: Sandboxes,
  log: Log,
): Housekeeping {
  /** What made a lease's sandbox, and may still hold it. */
  const providerOf = ({ context }: JournalEntry) =>
    sandboxes.providers.find(({ capability }) => capability.provider === context?.provider) ?? null;

  const take = async (services: LeaseServices, entry: JournalEntry, reporter: ReporterOf): Promise<void> => {
    try {
      await recoverLease(services, entry, reporter(entry), providerOf(entry));
    } catch (error) {
      log.error("a lease could not be recovered", { lease: entry.leaseId, reason: toFailure(error).message });
    }
  };

  const sweepWorkspaces = async (): Promise<void> => {
    try {
      const keep = new Set(journal.unfinished().flatMap((entry) => entry.context?.workspace.key ?? []));
      const removed = await workspaces.sweep(keep);
      if (removed > 0) log.info("removed idle workspaces", { count: removed });
    } catch (error) {
      log.error("idle workspaces could not be removed", { reason: toFailure(error).message });
    }
  };

  return {
    sweepWorkspaces,
    async atStart() {
      const ended = await sandboxes.reconcile();
      if (ended > 0) log.warn("ended processes of an earlier run", { processes: ended });
      const known = new Set(journal.unfinished().map((entry) => entry.leaseId));
      const leases = leasesDirectory(config.dataDirectory);
      makePrivateDirectory(leases);
      for (const name of readdirSync(leases)) if (!known.has(name)) await removeTree(join(leases, name));
      await sweepWorkspaces();
    },
    async recover(services, reporter, inHand) {
      for (const entry of journal.unfinished()) {
        if (!inHand.has(entry.leaseId)) await take(services, entry, reporter);
      }
    },
    async cleanAgain(services, reporter, inHand) {
      for (const entry of journal.unfinished()) {
        if (entry.state === "TERMINAL_REPORTED" && !inHand.has(entry.leaseId))
          await take(services, entry, reporter);
      }
    },
  };
}
