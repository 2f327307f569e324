import type { Query, Transaction } from "../operation.ts";
import { offerOf, type SessionRow } from "../runners/session.ts";
import { firstDenial, type Requirement, requirementOf } from "./admission.ts";
import { findTasks } from "./queue-views.ts";

/** Why a session does not have the task; `check` is the number of the first check of admission that fails. */
export interface SessionVerdict {
  runner_id: string;
  session_id: string;
  check: number | null;
  code: string | null;
  message: string;
}

/** Why a task is not running, from what the store knows now. */
export interface TaskExplanation {
  request_id: string;
  run_id: string;
  step_id: string;
  reference: string;
  state: string;
  attempts: number;
  requirement: Requirement;
  /** One sentence. */
  reason: string;
  /** The first reason that was noted when a runner asked, or why it was put back. */
  diagnostic: string | null;
  /** How many tasks of its partition come first; null when it is not in the queue. */
  position: number | null;
  concurrency: { key: string; holders: string[] } | null;
  /** When it may be tried again, if that is later than now. */
  retry_at: number | null;
  expires_at: number;
  sessions: SessionVerdict[];
  lease: { lease_id: string; runner_id: string; state: string; expires_at: number } | null;
  operator_task: string | null;
}

type Reader = Pick<Transaction, "all" | "get">;
type Task = ReturnType<typeof findTasks>[number];

const SHOWN_SESSIONS = 100;

/** Explain the tasks that a name means: a request, a lease, `run` or `run/step`. */
export const explainTasks: Query<{ tenantId: string; task: string; now: number }, TaskExplanation[]> = (
  tx,
  input,
) => findTasks(tx, input.tenantId, input.task).map((task) => explain(tx, input.tenantId, task, input.now));

function explain(tx: Reader, tenantId: string, task: Task, now: number): TaskExplanation {
  const requirement = requirementOf(task.requirement);
  const waits = task.state === "pending" || task.state === "parked";
  const sessions = waits ? verdicts(tx, tenantId, requirement, now) : [];
  const noted = tx.get<{ code: string; message: string }>(
    "SELECT code, message FROM denial WHERE requirement = ? ORDER BY noted_at LIMIT 1",
    task.requirement_id,
  );
  const holders =
    task.concurrency_key === null
      ? []
      : tx
          .all<{ request_id: string }>(
            "SELECT request_id FROM concurrency_hold WHERE tenant_id = ? AND key = ? LIMIT 100",
            tenantId,
            task.concurrency_key,
          )
          .map(({ request_id }) => request_id);
  const lease =
    tx.get<{ lease_id: string; runner_id: string; state: string; expires_at: number }>(
      "SELECT id AS lease_id, runner_id, state, expires_at FROM lease WHERE request_id = ? AND attempt = ?",
      task.request_id,
      task.attempts,
    ) ?? null;
  const operatorTask = tx.get<{ id: string }>(
    "SELECT id FROM operator_task WHERE tenant_id = ? AND kind = 'outcome_unknown' AND subject = ? AND state = 'open'",
    tenantId,
    task.request_id,
  );
  const position = task.state === "pending" ? positionOf(tx, task) : null;
  return {
    request_id: task.request_id,
    run_id: task.run_id,
    step_id: task.step_id,
    reference: task.reference,
    state: task.state,
    attempts: task.attempts,
    requirement,
    reason: reasonOf(task, { now, position, sessions, holders, runner: lease?.runner_id ?? "" }),
    diagnostic: task.diagnostic ?? (waits && noted !== undefined ? `${noted.code}: ${noted.message}` : null),
    position,
    concurrency: task.concurrency_key === null ? null : { key: task.concurrency_key, holders },
    retry_at: waits && task.not_before > now ? task.not_before : null,
    expires_at: task.expires_at,
    sessions,
    lease,
    operator_task: operatorTask?.id ?? null,
  };
}

function positionOf(tx: Reader, task: Task): number {
  return tx.get<{ ahead: number }>(
    `SELECT count(*) AS ahead FROM request WHERE requirement = ? AND state = 'pending'
       AND (priority > ? OR (priority = ? AND (created_at < ? OR (created_at = ? AND id < ?))))`,
    task.requirement_id,
    task.priority,
    task.priority,
    task.created_at,
    task.created_at,
    task.request_id,
  )!.ahead;
}

function verdicts(tx: Reader, tenantId: string, requirement: Requirement, now: number): SessionVerdict[] {
  return tx
    .all<SessionRow & { live: number }>(
      `SELECT session.*, (SELECT count(*) FROM lease WHERE lease.session_id = session.id AND lease.state IN ('leased', 'started')) AS live
       FROM runner_session AS session WHERE session.tenant_id = ? AND session.state <> 'closed' ORDER BY session.runner_id LIMIT ?`,
      tenantId,
      SHOWN_SESSIONS,
    )
    .map((session) => {
      const denial = firstDenial(session, requirement, tenantId, now);
      const { slots } = offerOf(session);
      const full = session.live >= slots;
      return {
        runner_id: session.runner_id,
        session_id: session.id,
        check: denial?.check ?? null,
        code: denial?.code ?? (full ? "execution_capacity_deferred" : null),
        message:
          denial?.message ??
          (full ? `all ${slots} slots of the runner are taken` : "the runner may have it when it asks"),
      };
    });
}

function reasonOf(
  task: Task,
  facts: {
    now: number;
    position: number | null;
    sessions: SessionVerdict[];
    holders: string[];
    runner: string;
  },
): string {
  switch (task.state) {
    case "satisfied":
      return "the task is done";
    case "cancelled":
      return task.diagnostic === null
        ? "the task was cancelled"
        : `the task was given up: ${task.diagnostic}`;
    case "unknown":
      return `nobody knows the outcome of attempt ${task.attempts}; an operator has to decide`;
    case "leased":
      return `runner ${facts.runner} has it`;
    case "parked":
      return `its key ${task.concurrency_key} is held by ${facts.holders.length} other task${facts.holders.length === 1 ? "" : "s"}`;
    default:
  }
  if (facts.sessions.length === 0) return "no runner is connected";
  const able = facts.sessions.filter(({ code }) => code === null).length;
  const full = facts.sessions.filter(({ code }) => code === "execution_capacity_deferred").length;
  if (able + full === 0) {
    const first = facts.sessions[0]!;
    return facts.sessions.length === 1
      ? `the only runner may not have it: ${first.message}`
      : `none of ${facts.sessions.length} runners may have it; the first: ${first.message}`;
  }
  if (task.not_before > facts.now) return `it was put back: ${task.diagnostic ?? "it is tried again later"}`;
  if (able === 0) return "every runner that may have it is full";
  return facts.position === 0 ? "it is next" : `${facts.position} tasks come first`;
}
