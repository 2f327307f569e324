import type { JsonObject } from "../../base/json.ts";
import { appendAudit } from "../audit/append.ts";
import { advanceInstance } from "../instances/advance.ts";
import type { EnginePort, StoredInput } from "../instances/engine-port.ts";
import type { Transaction } from "../operation.ts";
import { releaseKey } from "./concurrency.ts";
import { outcomeUnknown } from "./outcome-unknown.ts";
import { requeue } from "./requeue.ts";

/** A reported result and what is known of its attempt. */
export interface Reported {
  lease_id: string;
  request_id: string;
  instance_id: string;
  tenant_id: string;
  runner_id: string;
  attempt: number;
  latest: number;
  request_state: string;
  effect_id: string;
  step_id: string;
  reference: string;
  policy_digest: string;
  concurrency_key: string | null;
  approval: string | null;
  issued_at: number;
}

/** The orchestrator's half of taking a result. */
export interface AcceptPort {
  engine: EnginePort;
  /** The stored result as the engine's input for an effect, or null to leave it until what it refers to was read. */
  toInput(leaseId: string, effect: string, result: JsonObject): StoredInput | null;
}

/** How often a task that could not be started is tried before its step fails. */
const START_ATTEMPTS = 5;

/** The runner proved that its attempt did nothing: another one cannot run a command twice. */
const nothingStarted = (result: JsonObject): boolean =>
  result["errorCode"] === "execution_start_failed" && result["retrySafety"] === "safe";

/** What becomes of a result: `later` when something has to be read first, `late` when its attempt no longer counts. */
export type Taking = { kind: "later" } | { kind: "late" } | { kind: "now"; input: StoredInput | null };

export function howToTake(port: AcceptPort, row: Reported, result: JsonObject): Taking {
  if (row.request_state !== "leased" || row.attempt !== row.latest) return { kind: "late" };
  if (result["status"] === "unknown") return { kind: "now", input: null };
  const input = port.toInput(row.lease_id, row.effect_id, result);
  return input === null ? { kind: "later" } : { kind: "now", input };
}

/**
 * Take a result into its instance, or keep it as a diagnosis: audit, transition and the next task's request, in the
 * caller's transaction. The lease's verdict is the caller's to write.
 */
export function takeResult(
  tx: Transaction,
  engine: EnginePort,
  row: Reported,
  result: JsonObject,
  taking: Exclude<Taking, { kind: "later" }>,
  now: number,
): void {
  appendAudit(tx, {
    tenantId: row.tenant_id,
    now,
    actor: `runner:${row.runner_id}`,
    action: taking.kind === "now" ? "result.accepted" : "result.diagnosis",
    object: `lease:${row.lease_id}`,
    body: {
      attempt: row.attempt,
      status: result["status"] ?? null,
      ...(typeof result["errorCode"] === "string" ? { code: result["errorCode"] } : {}),
      policyDigest: row.policy_digest,
      commandTemplateId: result["commandTemplateId"] ?? null,
      artifactRefs: result["artifactRefs"] ?? [],
      isolation: result["sandbox"] ?? null,
      workspace: result["workspace"] ?? null,
      approvalRefs: row.approval === null ? [] : [row.approval],
    },
  });
  const request = { ...row, id: row.request_id };
  if (taking.kind === "late") {
    if (row.request_state === "cancelled") releaseKey(tx, request);
    return;
  }
  const lease = { ...row, id: row.lease_id };
  // An approval is used up by the attempt that it was given to, whatever became of it.
  if (nothingStarted(result) && row.attempt < START_ATTEMPTS && row.approval === null) {
    requeue(tx, lease, String(result["summary"]), now);
    return;
  }
  if (taking.input === null) {
    const reason = String(result["summary"] ?? "the runner does not know");
    outcomeUnknown(tx, lease, reason, now, (result["artifactRefs"] ?? []) as JsonObject[]);
    return;
  }
  tx.run(
    "UPDATE /* kept */ request SET state = 'satisfied', accepted_attempt = ? WHERE id = ?",
    row.attempt,
    row.request_id,
  );
  tx.kept.lease.delete(row.lease_id);
  releaseKey(tx, request);
  advanceInstance(tx, engine, row.instance_id, taking.input, now, [
    {
      event: "step.attempt_finished",
      step_id: row.step_id,
      reference: row.reference,
      detail: {
        lease_id: row.lease_id,
        runner_id: row.runner_id,
        attempt: row.attempt,
        status: result["status"] ?? null,
        exit_code: result["exitCode"] ?? null,
        duration_ms: result["durationMs"] ?? null,
        sandbox: ((result["sandbox"] as JsonObject | undefined)?.["provider"] as string | undefined) ?? null,
        isolation: result["sandbox"] ?? null,
        ...(result["workspace"] === undefined ? {} : { workspace: result["workspace"] }),
        artifacts: result["artifactRefs"] ?? [],
        ...clockSkew(row, result, now),
      },
    },
  ]);
}

/** How far the runner's times may be from the server's before they are marked. */
const SKEW_MS = 60_000;

/** Marks times that cannot be: before the lease was issued, or after now. They decide nothing. */
function clockSkew(row: Reported, result: JsonObject, now: number): JsonObject {
  const [startedAt, completedAt] = [result["startedAt"], result["completedAt"]].map((time) =>
    Date.parse(String(time)),
  ) as [number, number];
  const early = row.issued_at - startedAt;
  const late = completedAt - now;
  if (early > SKEW_MS) return { clock_skew_ms: -early };
  return late > SKEW_MS ? { clock_skew_ms: late } : {};
}
