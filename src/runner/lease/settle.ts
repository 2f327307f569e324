import { rmSync } from "node:fs";
import { type ErrorCode, toFailure } from "../../base/errors.ts";
import type { TaskResult } from "../../protocol/index.ts";
import { removeTree, type Workspaces } from "../files/workspaces.ts";
import type { LeaseContext } from "../journal/entry.ts";
import type { SandboxProvider } from "../sandboxes/index.ts";
import { pause } from "../wire/backoff.ts";
import { leasePlaces, outputFile } from "./places.ts";
import type { Reporter } from "./reporter.ts";
import type { LeaseServices } from "./services.ts";

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

type CleanServices = { readonly config: LeaseServices["config"]; readonly workspaces: Workspaces };

/** Remove what a lease leaves on disk. @throws Failure when it cannot be removed after three tries */
export async function cleanLease(
  services: CleanServices,
  lease: Pick<LeaseContext, "leaseId" | "workspace">,
  provider: SandboxProvider | null,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await provider?.cleanup(lease.leaseId);
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
): Promise<void> {
  const { journal, log, at, signal } = services;
  const { leaseId } = context;
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
      return settleLease(services, context, poorer, reporter, provider);
    }
    log.warn("the controller does not take the result", {
      lease: leaseId,
      code: failure.code,
      reason: failure.message,
    });
  }
  at("after_send", leaseId);
  await journal.reported(leaseId);
  at("after_journal_reported", leaseId);
  try {
    await cleanLease(services, context, provider);
  } catch (error) {
    log.error("a lease could not be cleaned up", { lease: leaseId, reason: toFailure(error).message });
    return;
  }
  at("after_cleanup", leaseId);
  await journal.confirmed(leaseId);
}
