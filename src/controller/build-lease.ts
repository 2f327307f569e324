import { isoTime } from "../base/clock.ts";
import type { JsonObject } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import type { TaskPayload, UnsignedLease } from "../protocol/index.ts";
import { type LeaseIssue, offerOf, type PendingRequest, type SessionRow } from "../store/index.ts";

/** The lease of one attempt: the orchestrator's payload, the session's identity, and this server's times. */
export function buildLease(
  request: PendingRequest,
  session: SessionRow,
  issue: LeaseIssue,
): { lease: JsonObject; timeoutMs: number; workspaceKey: string | null } {
  const payload = request.payload as unknown as TaskPayload;
  const lease: UnsignedLease = {
    leaseId: issue.leaseId,
    tenantId: session.tenant_id,
    hostId: offerOf(session).hostId,
    runnerId: session.runner_id,
    sessionId: session.id,
    wfInstanceId: request.instance_id,
    taskId: request.step_id,
    taskReference: request.reference,
    attempt: request.attempt,
    fencingToken: request.attempt,
    nonce: issue.nonce,
    issuedAt: isoTime(issue.issuedAt),
    expiresAt: isoTime(issue.expiresAt),
    remainingMs: issue.remainingMs,
    renewIntervalMs: LIMITS.leaseRenewMs,
    policyDigest: request.policy_digest,
    ...payload,
  };
  return {
    lease: lease as unknown as JsonObject,
    timeoutMs: payload.deadlineMs,
    workspaceKey:
      payload.workspace.mode === "session" ? payload.workspace.key : (payload.workspace.commitTo ?? null),
  };
}
