import { statfsSync } from "node:fs";
import { join } from "node:path";
import { isoTime } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { TaskResult } from "../../protocol/index.ts";
import { copyTree } from "../files/copy.ts";
import { copyMethods } from "../files/copy-methods.ts";
import { freeze } from "../files/frozen.ts";
import { removeTree } from "../files/trees.ts";
import type { Workspace } from "../files/workspaces.ts";
import type { LeaseContext } from "../journal/entry.ts";
import { type LeasePlaces, leasePlaces } from "./places.ts";
import type { LeaseServices } from "./services.ts";

/** Where the files of a session's step are copied to while nothing else writes them. */
export const SNAPSHOT = "snapshot";

/** @throws Failure `unavailable` where the disk has no space for it, `execution_start_failed` */
export async function snapshotSession(
  { dataDirectory, minimumFreeBytes }: Pick<LeaseServices["config"], "dataDirectory" | "minimumFreeBytes">,
  workspace: Workspace,
  places: LeasePlaces,
): Promise<void> {
  const hasRoom = () => {
    const { bavail, bsize } = statfsSync(dataDirectory);
    return bavail * bsize >= minimumFreeBytes;
  };
  const target = join(places.root, SNAPSHOT);
  await removeTree(target);
  if (hasRoom()) await copyTree(workspace.directory, target, (await copyMethods(dataDirectory)).reflink);
  if (hasRoom()) return;
  await removeTree(target);
  throw fail("unavailable", "the disk has no space left for what is to be frozen");
}

/**
 * Keep a task's files and logs until the time that its result names. The lease stays unfinished in the journal until the
 * frozen task stands there, so that a crash in between repeats this. Homes, sockets and temporary files are not kept.
 */
export async function freezeLease(
  {
    config,
    workspaces,
    journal,
    clock,
    at,
  }: Pick<LeaseServices, "config" | "workspaces" | "journal" | "clock" | "at">,
  lease: Pick<LeaseContext, "leaseId" | "workspace" | "tenantId" | "wfInstanceId" | "taskId">,
  result: TaskResult,
): Promise<void> {
  const until = result.workspace!.frozenUntil!;
  const places = leasePlaces(config.dataDirectory, lease.leaseId);
  const workspace = workspaces.locate(lease.workspace.key);
  const shared = lease.workspace.mode === "session";
  await freeze(
    config.dataDirectory,
    {
      leaseId: lease.leaseId,
      tenantId: lease.tenantId,
      wfInstanceId: lease.wfInstanceId,
      taskId: lease.taskId,
      status: result.status,
      frozenAt: isoTime(clock.wall()),
      frozenUntil: until,
    },
    {
      work: shared ? join(places.root, SNAPSHOT) : workspace.directory,
      ...(shared ? {} : { output: join(workspace.root, "output") }),
      logs: places.logs,
    },
  );
  at("after_freeze", lease.leaseId);
  await journal.frozen(lease.leaseId, Date.parse(until));
  at("after_journal_frozen", lease.leaseId);
}
