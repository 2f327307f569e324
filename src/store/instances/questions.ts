import { type Failure, fail } from "../../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation, Transaction } from "../operation.ts";
import { openOperatorTask } from "../operators/operator-tasks.ts";
import { advanceInstance } from "./advance.ts";
import type { AskEffect, EnginePort, InstanceRow } from "./engine-port.ts";
import { appendEvents } from "./events.ts";

const subjectOf = (instanceId: string, effectId: string): string => `ask:${instanceId}/${effectId}`;

/** The question waits in the inbox. */
export function openQuestion(tx: Transaction, row: InstanceRow, effect: AskEffect, now: number): void {
  const { step_id, reference, question } = effect;
  const prompt = question["prompt"] ?? null;
  const operatorTask = openOperatorTask(tx, {
    tenantId: row.tenant_id,
    kind: "ask",
    subject: subjectOf(row.id, effect.id),
    instanceId: row.id,
    body: { step_id, reference, run_id: row.run_id, reason: prompt, effect: effect.id, question },
    now,
  });
  const detail = { operator_task: operatorTask, prompt, options: question["options"] ?? null };
  appendEvents(tx, row.id, now, [{ event: "step.asked", step_id, reference, detail }]);
}

/** @returns whether the effect was a question that was still open */
export function withdrawQuestion(
  tx: Transaction,
  instanceId: string,
  effectId: string,
  now: number,
): boolean {
  const withdrawn = tx.run(
    "UPDATE operator_task SET state = 'resolved', resolution = 'no longer asked', resolved_at = ? WHERE kind = 'ask' AND subject = ? AND state = 'open'",
    now,
    subjectOf(instanceId, effectId),
  );
  return withdrawn > 0;
}

export interface AnswerInput {
  engine: EnginePort;
  tenantId: string;
  taskId: string;
  answer: Json;
  /** Who answers, for the audit. */
  actor: string;
  /** What the answering principal is; an administrator may answer whatever is asked. */
  roles: readonly string[];
  /** Why a value is no answer, or null. */
  problem(question: JsonObject, answer: Json): string | null;
  now: number;
}

/** A question that is assigned to a role, or to somebody, is theirs. */
function mayAnswer({ assignment }: JsonObject, { actor, roles }: AnswerInput) {
  if (!isObject(assignment) || roles.includes("admin")) return null;
  const { roleId, assigneeId } = assignment as JsonObject;
  if (typeof roleId === "string" && !roles.includes(roleId))
    return fail("forbidden", `the question is for the role ${roleId}`);
  return typeof assigneeId === "string" && assigneeId !== actor
    ? fail("forbidden", `the question is for ${assigneeId}`)
    : null;
}

export interface AnsweredQuestion {
  /** The run that goes on. */
  readonly runId: string;
  /** Who may not answer: committed all the same, since the audit tells of it. */
  readonly refused: Failure | null;
}

/**
 * Answer a question; the first answer counts.
 * @throws Failure `not_found`, `conflict` when it is answered or no longer asked, `schema_violation`
 */
export const answerQuestion: Operation<AnswerInput, AnsweredQuestion> = (tx, input) => {
  const row = tx.get<{
    kind: string;
    instance_id: string;
    body: string;
    state: string;
    resolution: string | null;
  }>(
    "SELECT kind, instance_id, body, state, resolution FROM operator_task WHERE tenant_id = ? AND id = ?",
    input.tenantId,
    input.taskId,
  );
  if (row === undefined)
    throw fail("not_found", `not found: question ${input.taskId}`, {
      hint: "`lightflow inbox list` shows them",
    });
  if (row.kind !== "ask")
    throw fail("conflict", `${input.taskId} is no question`, {
      hint: `\`lightflow inbox show ${input.taskId}\` says how it is resolved`,
    });
  if (row.state !== "open")
    throw fail("conflict", `question ${input.taskId} is no longer open: ${row.resolution}`);
  const body = JSON.parse(row.body) as JsonObject;
  const runId = String(body["run_id"]);
  const told = (action: string, more: JsonObject = {}) =>
    appendAudit(tx, {
      tenantId: input.tenantId,
      now: input.now,
      actor: input.actor,
      action,
      object: `instance:${row.instance_id}`,
      body: { task: input.taskId, reference: body["reference"] ?? null, ...more },
    });
  const refused = mayAnswer(body["question"] as JsonObject, input);
  if (refused !== null) {
    told("question.refused", { reason: refused.message });
    return { runId, refused };
  }
  const problem = input.problem(body["question"] as JsonObject, input.answer);
  if (problem !== null) throw fail("schema_violation", problem);
  tx.run(
    "UPDATE operator_task SET state = 'resolved', resolution = ?, resolved_at = ? WHERE id = ?",
    `answered by ${input.actor}`,
    input.now,
    input.taskId,
  );
  told("question.answered");
  advanceInstance(
    tx,
    input.engine,
    row.instance_id,
    { kind: "effect_succeeded", effect: body["effect"], output: input.answer } as never,
    input.now,
  );
  return { runId, refused: null };
};
