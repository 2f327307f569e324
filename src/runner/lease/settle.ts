import { rmSync } from "node:fs";
import { type ErrorCode, type Failure, fail, toFailure } from "../../base/errors.ts";
import { pause } from "../../base/pause.ts";
import type { TaskResult } from "../../protocol/index.ts";
import { removeTree } from "../files/trees.ts";
import type { LeaseContext } from "../journal/entry.ts";
import type { SandboxProvider } from "../sandboxes/index.ts";
import { freezeLease } from "./freeze-lease.ts";
import { leasePlaces, outputFile } from "./places.ts";
import type { Reporter } from "./reporter.ts";
import type { LeaseServices } from "./services.ts";
import type { TaskCopy } from "./task-copy.ts";

/** The server holds the lease open but will not take this result as it is. */
const UNACCEPTABLE: ReadonlySet<ErrorCode> = new Set([
  "payload_too_large",
  "artifact_digest_mismatch",
  "invalid_request",
  "invalid_json",
  "schema_violation",
  "not_found",
]);

const CLEANUP_TRIES = 3;

/**
 * Remove what a lease leaves on disk, but for what its result says is kept.
 * @throws Failure when it cannot be removed after three tries
 */
export async function cleanLease(
  services: Pick<LeaseServices, "config" | "workspaces" | "journal" | "clock" | "at">,
  lease: Pick<LeaseContext, "leaseId" | "workspace" | "tenantId" | "wfInstanceId" | "taskId">,
  result: TaskResult | null,
  provider: SandboxProvider | null,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await provider?.cleanup(lease.leaseId);
      if (result?.workspace?.frozenUntil !== undefined) await freezeLease(services, lease, result);
      await removeTree(leasePlaces(services.config.dataDirectory, lease.leaseId).root);
      if (lease.workspace.mode === "ephemeral") await services.workspaces.remove(lease.workspace.key);
      else
        rmSync(outputFile(services.workspaces.locate(lease.workspace.key).root, lease.leaseId), {
          force: true,
        });
      return;
    } catch (error) {
      if (attempt === CLEANUP_TRIES) throw error;
      await pause(25 * 2 ** (attempt - 1));
    }
  }
}

/** The task ended well, and the session has nothing of it. */
const notCommitted = (result: TaskResult, failure: Failure): TaskResult => ({
  ...result,
  status: "failed",
  errorCode: failure.code,
  summary: failure.message.slice(0, 4096),
  output: null,
  retrySafety: "inspect-required",
  workspace: { ...result.workspace, committed: false },
});

/**
 * Deliver a result that stands in the journal until the controller has it or says that it never will, then clean up
 * and forget. A lease that cannot be cleaned stays in the journal as the runner's cleanup backlog.
 */
export async function settleLease(
  services: LeaseServices,
  context: LeaseContext,
  result: TaskResult,
  reporter: Reporter,
  provider: SandboxProvider | null,
  copy: TaskCopy | null,
): Promise<void> {
  const { journal, log, at, signal } = services;
  const { leaseId } = context;
  if (result.workspace?.committed === true) {
    try {
      if (copy === null)
        throw fail("execution_commit_failed", "the files of the task are not there any more");
      await copy.commit(result.workspace.frozenUntil !== undefined);
    } catch (error) {
      const failed = notCommitted(result, toFailure(error));
      await journal.terminal(leaseId, failed);
      return settleLease(services, context, failed, reporter, provider, copy);
    }
    at("after_commit", leaseId);
  }
  await copy?.close();
  try {
    await reporter.result(result, signal);
  } catch (error) {
    const failure = toFailure(error);
    // Not delivered: the journal keeps it for the next start.
    if (signal.aborted) return;
    if (UNACCEPTABLE.has(failure.code) && result.artifactRefs.length + Number(result.output !== null) > 0) {
      const poorer: TaskResult = {
        ...result,
        status: "failed",
        errorCode: failure.code,
        summary: `the controller did not take the result: ${failure.message}`.slice(0, 4096),
        output: null,
        artifactRefs: [],
        retrySafety: "inspect-required",
      };
      await journal.terminal(leaseId, poorer);
      return settleLease(services, context, poorer, reporter, provider, copy);
    }
    log.warn("the controller does not take the result", {
      lease: leaseId,
      code: failure.code,
      reason: failure.message,
    });
  }
  at("after_send", leaseId);
  // A journal that cannot be written is mended by what is cleaned up here: the task's own files may fill its disk.
  await journal.reported(leaseId).catch((error) => {
    log.error("the journal cannot be written", { lease: leaseId, reason: toFailure(error).message });
  });
  at("after_journal_reported", leaseId);
  try {
    await cleanLease(services, context, result, provider);
  } catch (error) {
    log.error("a lease could not be cleaned up", { lease: leaseId, reason: toFailure(error).message });
    return;
  }
  at("after_cleanup", leaseId);
  await journal.confirmed(leaseId);
}
