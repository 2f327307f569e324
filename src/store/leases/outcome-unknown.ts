import type { JsonObject } from "../../base/json.ts";
import { runIdOf } from "../artifacts/references.ts";
import { appendEvents } from "../instances/events.ts";
import type { Transaction } from "../operation.ts";
import { openOperatorTask } from "../operators/operator-tasks.ts";
import { requeue } from "./requeue.ts";

/** How many attempts of unknown outcome a repeatable step may have before an operator is asked after all. */
const REPEATS = 5;

/**
 * An attempt whose outcome nobody knows: a repeatable step gets a new attempt, any other waits for an operator.
 * @param reason for the history and the operator
 * @param artifacts what the attempt left for whoever has to decide, such as the transcript of an agent
 */
export function outcomeUnknown(
  tx: Transaction,
  lease: {
    id: string;
    request_id: string;
    instance_id: string;
    tenant_id: string;
    runner_id: string;
    attempt: number;
  },
  reason: string,
  now: number,
  artifacts: readonly JsonObject[] = [],
): void {
  const request = tx.get<{
    step_id: string;
    reference: string;
    repeatable: number;
    state: string;
    approval: string | null;
  }>("SELECT step_id, reference, repeatable, state, approval FROM request WHERE id = ?", lease.request_id)!;
  if (request.state !== "leased") return;
  const at = { step_id: request.step_id, reference: request.reference };
  // What a person agreed to was one attempt.
  const mayRepeat = request.repeatable === 1 && request.approval === null;
  if (mayRepeat && unknownAttempts(tx, lease.request_id) < REPEATS) {
    requeue(tx, { ...lease, ...at }, reason, now, 0);
    return;
  }
  const facts = {
    lease_id: lease.id,
    runner_id: lease.runner_id,
    attempt: lease.attempt,
    reason,
    ...(artifacts.length === 0 ? {} : { artifacts: [...artifacts] }),
  };
  tx.run("UPDATE request SET state = 'unknown', diagnostic = ? WHERE id = ?", reason, lease.request_id);
  const task = openOperatorTask(tx, {
    tenantId: lease.tenant_id,
    kind: "outcome_unknown",
    subject: lease.request_id,
    instanceId: lease.instance_id,
    body: { ...at, run_id: runIdOf(tx, lease.instance_id), ...facts },
    now,
  });
  appendEvents(tx, lease.instance_id, now, [
    { event: "step.outcome_unknown", ...at, detail: { ...facts, operator_task: task } },
  ]);
}

/** The current attempt counts, whether its lease was already marked or not. */
function unknownAttempts(tx: Transaction, requestId: string): number {
  const { count } = tx.get<{ count: number }>(
    "SELECT count(*) AS count FROM lease WHERE request_id = ? AND state IN ('unknown', 'reported')",
    requestId,
  )!;
  return count;
}
