import { readdirSync } from "node:fs";
import { join } from "node:path";
import { toFailure } from "../base/errors.ts";
import { makePrivateDirectory } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import type { EffectiveConfig } from "./config.ts";
import { COPY_TRIAL } from "./files/copy-methods.ts";
import { frozenIds, removeFrozen } from "./files/frozen.ts";
import { removeTree } from "./files/trees.ts";
import type { Workspaces } from "./files/workspaces.ts";
import type { JournalEntry } from "./journal/entry.ts";
import type { Journal } from "./journal/journal.ts";
import { leasesDirectory } from "./lease/places.ts";
import { recoverLease } from "./lease/recover.ts";
import type { Reporter } from "./lease/reporter.ts";
import type { LeaseServices } from "./lease/services.ts";
import { howOf, sessionOf } from "./lease/task-copy.ts";
import type { Sandboxes } from "./sandbox-choice.ts";

/** What is reported about a lease that an earlier process, or an earlier try, left unfinished. */
export type ReporterOf = (entry: JournalEntry) => Reporter;

export interface Housekeeping {
  /** End what an earlier process of this runner left, before anything new begins. */
  atStart(): Promise<void>;
  /**
   * Again and again: remove workspaces that were idle for too long and frozen tasks whose time is over, and clean up leases
   * that could not be when they were reported, but for those that are in hand. @returns the end of it
   */
  sweepEvery(ms: number, services: LeaseServices, reporter: ReporterOf, inHand: () => string[]): () => void;
  /** Take every unfinished lease to its end, but those that are in hand. */
  recover(
    services: LeaseServices,
    reporter: ReporterOf,
    inHand: Pick<ReadonlySet<string>, "has">,
  ): Promise<void>;
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

  /** Sessions that an unfinished lease works on, or on a copy of: as they are, until that lease is recovered. */
  const held = new Map<string, Promise<() => void>>();
  const take = async (services: LeaseServices, entry: JournalEntry, reporter: ReporterOf): Promise<void> => {
    try {
      await recoverLease(services, entry, reporter(entry), providerOf(entry), held.get(entry.leaseId));
    } catch (error) {
      log.error("a lease could not be recovered", { lease: entry.leaseId, reason: toFailure(error).message });
    }
  };

  const sweepWorkspaces = async (): Promise<void> => {
    try {
      const unfinished = journal.unfinished().flatMap(({ context }) => context ?? []);
      const keep = new Set(
        unfinished.flatMap((lease) => [lease.workspace.key, sessionOf(lease) ?? []].flat()),
      );
      const removed = await workspaces.sweep(keep);
      if (removed > 0) log.info("removed idle workspaces", { count: removed });
    } catch (error) {
      log.error("idle workspaces could not be removed", { reason: toFailure(error).message });
    }
  };

  /** What a lease says is kept goes when its time is over; what nothing speaks of is left over from a crash. */
  const sweepFrozen = async (): Promise<void> => {
    try {
      const unfinished = new Set(journal.unfinished().map((entry) => entry.leaseId));
      const tasks = journal.frozenTasks();
      for (const id of frozenIds(config.dataDirectory)) {
        const expiresAt = tasks.get(id) ?? (unfinished.has(id) ? Number.POSITIVE_INFINITY : 0);
        if (expiresAt <= Date.now()) await removeFrozen(config.dataDirectory, id);
      }
      // Those whose directory is gone: removed just now, or by a person.
      const left = new Set(frozenIds(config.dataDirectory));
      await Promise.all([...tasks.keys()].filter((id) => !left.has(id)).map((id) => journal.thawed(id)));
    } catch (error) {
      log.error("frozen tasks could not be removed", { reason: toFailure(error).message });
    }
  };

  const sweep = async (): Promise<void> => {
    await sweepWorkspaces();
    await sweepFrozen();
  };

  const cleanAgain = async (
    services: LeaseServices,
    reporter: ReporterOf,
    inHand: ReadonlySet<string>,
  ): Promise<void> => {
    for (const entry of journal.unfinished()) {
      if (entry.state === "TERMINAL_REPORTED" && !inHand.has(entry.leaseId))
        await take(services, entry, reporter);
    }
  };

  return {
    sweepEvery(ms, services, reporter, inHand) {
      let isSweeping = false;
      const work = async () => {
        // What cannot be removed may keep a sweep for longer than the time to the next.
        if (isSweeping) return;
        isSweeping = true;
        const busy = new Set(inHand());
        try {
          await sweep();
          await cleanAgain(services, reporter, busy);
        } finally {
          isSweeping = false;
        }
      };
      const timer = setInterval(() => {
        work().catch((error) => log.error("nothing was swept", { reason: toFailure(error).message }));
      }, ms);
      timer.unref?.();
      return () => clearInterval(timer);
    },
    async atStart() {
      const ended = await sandboxes.reconcile();
      if (ended > 0) log.warn("ended processes of an earlier run", { processes: ended });
      const known = new Set(journal.unfinished().map((entry) => entry.leaseId));
      const leases = leasesDirectory(config.dataDirectory);
      makePrivateDirectory(leases);
      for (const name of readdirSync(leases)) if (!known.has(name)) await removeTree(join(leases, name));
      for (const { leaseId, state, context } of journal.unfinished()) {
        if (context === null || state === "TERMINAL_REPORTED") continue;
        const session = sessionOf(context);
        if (session === undefined) continue;
        // In the order in which they are recovered: nobody waits for one that comes after it.
        held.set(leaseId, workspaces.hold(session, howOf(context)));
      }
      for (const name of readdirSync(config.dataDirectory))
        if (name.startsWith(COPY_TRIAL)) await removeTree(join(config.dataDirectory, name));
      await sweep();
    },
    async recover(services, reporter, inHand) {
      for (const entry of journal.unfinished()) {
        if (!inHand.has(entry.leaseId)) await take(services, entry, reporter);
      }
    },
  };
}
