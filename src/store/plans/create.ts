import { fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import type { StoredSnapshot } from "../instances/engine-port.ts";
import { appendEvents, beginEvents } from "../instances/events.ts";
import { keepDefinition, type StartInput } from "../instances/start.ts";
import type { Operation, Transaction } from "../operation.ts";
import { keepPolicy } from "../policy/snapshots.ts";
import { type Plan, planOfRun, settleInstance } from "./plan.ts";

export interface CreatePlan {
  instanceId: string;
  tenantId: string;
  runId: string;
  requestDigest: string;
  workflow: string;
  request: JsonObject;
  definition: JsonObject;
  document: StartInput["definition"];
  policy: { digest: string; body: string };
  snapshot: StoredSnapshot;
  /** In order; `record` is made from the id that the step's request gets. */
  steps: readonly { step_id: string; record(requestId: string): JsonObject }[];
  now: number;
}

/** Plan a run. Of two that ask for one id at once, one gets it. @throws Failure `conflict` when the id is taken */
export const createPlan: Operation<CreatePlan, Plan> = (tx, plan) => {
  const taken = tx.get(
    "SELECT 1 FROM instance WHERE tenant_id = ? AND run_id = ?",
    plan.tenantId,
    plan.runId,
  );
  if (taken !== undefined) {
    throw fail("conflict", `conflict: run ${plan.runId} already exists`, {
      hint: "leave --id out, or choose another",
    });
  }
  keepDefinition(tx, plan.document, plan.now);
  keepPolicy(tx, plan.policy, plan.now);
  tx.run(
    `INSERT INTO instance (id, tenant_id, run_id, definition_digest, policy_digest, request_digest, workflow, status,
       version, input_seq, snapshot, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', 0, 0, ?, ?, ?)`,
    plan.instanceId,
    plan.tenantId,
    plan.runId,
    plan.document.digest,
    plan.policy.digest,
    plan.requestDigest,
    plan.workflow,
    JSON.stringify(plan.snapshot),
    plan.now,
    plan.now,
  );
  tx.run(
    "INSERT INTO plan (instance_id, request, definition, cancelled) VALUES (?, ?, ?, 0)",
    plan.instanceId,
    JSON.stringify(plan.request),
    JSON.stringify(plan.definition),
  );
  for (const [position, step] of plan.steps.entries()) {
    const requestId = freeRequestId(tx, `${plan.runId}.${step.step_id}`);
    tx.run(
      "INSERT INTO plan_step (instance_id, position, step_id, request_id, status, record) VALUES (?, ?, ?, ?, 'planned', ?)",
      plan.instanceId,
      position,
      step.step_id,
      requestId,
      JSON.stringify(step.record(requestId)),
    );
  }
  beginEvents(tx, plan.instanceId);
  appendEvents(tx, plan.instanceId, plan.now, [
    { event: "run.created", step_id: null, reference: null, detail: plan.workflow },
  ]);
  const created = planOfRun(tx, plan.tenantId, plan.runId);
  settleInstance(tx, created.instance, plan.now);
  return planOfRun(tx, plan.tenantId, plan.runId);
};

/** `a` + `b.c` and `a.b` + `c` read the same: the later one gets a number. */
function freeRequestId(tx: Transaction, wanted: string): string {
  for (let attempt = 1; ; attempt++) {
    const id = attempt === 1 ? wanted : `${wanted}.${attempt}`;
    if (tx.get("SELECT 1 FROM plan_step WHERE request_id = ?", id) === undefined) return id;
  }
}
