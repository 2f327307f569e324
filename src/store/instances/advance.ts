import { fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import { findAgent, type PublishedAgent, readSkill } from "../agents/agents.ts";
import type { ApprovalGate } from "../approvals/approval.ts";
import { openApproval, withdrawApproval } from "../approvals/open.ts";
import { appendAudit } from "../audit/append.ts";
import { consult, type Known, keepOutput, type StepKey, takenOver } from "../cache/consult.ts";
import { type ConcurrencyClaim, releaseKey, takeKeys } from "../leases/concurrency.ts";
import type { Transaction } from "../operation.ts";
import { revocationOf, revokedDiagnostic } from "../policy/snapshots.ts";
import { type ClaimedCall, cancelCall, insertCall } from "./calls.ts";
import { cancelChild, startChild, tellParent } from "./children.ts";
import { appendEvents, type EventRow } from "./events.ts";
import { putEvent, subscribe, unsubscribe } from "./inbox.ts";
import { publishLifecycle } from "./lifecycle.ts";
import { openQuestion, withdrawQuestion } from "./questions.ts";

/** The engine as the store sees it: pure functions, called inside the transaction with what was read there. */
export interface EnginePort {
  readonly version: number;
  /** One input into a snapshot. Uses `snapshot` up. */
  advance(
    definition: StoredDefinition,
    snapshot: StoredSnapshot,
    input: StoredInput,
    now: number,
  ): {
    snapshot: StoredSnapshot;
    effects: StoredEffect[];
    transitions: EventRow[];
    /** The same as CloudEvents of the types that are wanted; `key` makes their ids. */
    lifecycle(key: string, wanted: (type: string) => boolean): JsonObject[];
  };
  /** What a runner effect becomes in the queue, or the reason why policy refuses it. */
  request(effect: RunEffect, instance: InstanceRow): QueuedRequest | { denied: StoredInput };
  /**
   * Where the call of an agent is made, and all that is pinned for it: the agent by its digest, its budgets, whose model it
   * may call. Null for every other call.
   */
  placeAgent?(
    effect: CallEffect,
    instance: InstanceRow,
    published: AgentLookup,
  ): PlacedAgent | { denied: StoredInput; placement: JsonObject } | null;
  /** What a person has to agree to before a call is made, null for nothing, or the reason why policy refuses it. */
  /** A call that a runner makes, as a request; null for one that goes out from here. */
  runnerCall?(
    effect: CallEffect,
    instance: InstanceRow,
  ): { effect: RunEffect; request: QueuedRequest } | { denied: StoredInput } | null;
  callGate?(effect: CallEffect, instance: InstanceRow): ApprovalGate | null | { denied: StoredInput };
  /** What a task hears whose approval was not given. */
  unapproved(effectId: string, code: string, detail: string, approval: string): StoredInput;
  /** A new instance of a document, and its policy. */
  child(
    tenantId: string,
    document: string,
    digest: string,
    instanceId: string,
    runId: string,
    depth: number,
    now: number,
    isPrivate: boolean,
  ): { snapshot: StoredSnapshot; policy: { digest: string; body: string } };
  /** What a task hears that runs a workflow which is not published. */
  noWorkflow(effect: WorkflowEffect): StoredInput;
  /** What an expression gives of an event, as listeners are kept by; null for nothing, undefined where it cannot be known. */
  correlation(from: string, event: JsonObject): string | null | undefined;
  /** Whether an event's data may be private to the tenant. */
  isPrivateEvent(event: JsonObject): boolean;
  /** What the task hears instead of an input that would make the state too large; null where no task waits for it. */
  tooLarge(input: StoredInput, problem: string): StoredInput | null;
  /** What a task hears when policy does not let it run, or no longer. */
  revoked(effectId: string, reason: string): StoredInput;
  /** Whether outputs of a document's steps may be kept. */
  caches(definition: StoredDefinition): boolean;
  /** What a step's output depends on, or null for a step that is done anew each time. */
  stepKey(
    definition: StoredDefinition,
    effect: RunEffect | CallEffect,
    request: QueuedRequest | null,
  ): StepKey | null;
  hasArtifact(sha256: string): boolean;
  /** Where this process makes calls and has room: under whose name, until when, and what to do once it is committed. */
  claimsCalls?(): { owner: string; until: number; make: (call: ClaimedCall) => void } | null;
}

export interface AgentLookup {
  agent(reference: string): PublishedAgent | null;
  /** The text of a skill by its digest. */
  skill(digest: string): string | null;
}

/** An agent's call as it will be made, and the decision for the history and the audit. */
export interface PlacedAgent {
  /** A call of the orchestrator's own, or work for a runner. */
  readonly effect: CallEffect | RunEffect;
  readonly placement: JsonObject;
}

export interface StoredDefinition {
  readonly digest: string;
  document(): string;
}
export interface StoredSnapshot {
  status: string;
}
export interface StoredInput {
  kind: string;
}
export interface RunEffect {
  kind: "run";
  id: string;
  step_id: string;
  reference: string;
}
export interface CallEffect {
  kind: "call";
  id: string;
  step_id: string;
  reference: string;
  request: { repeatable: boolean };
}
export interface ListenEffect {
  kind: "listen";
  id: string;
  filters: { type: string; from: string; value: string }[];
}
export interface WorkflowEffect {
  kind: "workflow";
  id: string;
  namespace: string;
  name: string;
  version: string;
  input: Json;
  depth: number;
  await: boolean;
  private?: true;
}
export interface AskEffect {
  kind: "ask";
  id: string;
  step_id: string;
  reference: string;
  question: JsonObject;
}
export interface EmitEffect {
  kind: "emit";
  id: string;
  event: JsonObject;
}
export type StoredEffect =
  | ListenEffect
  | EmitEffect
  | AskEffect
  | WorkflowEffect
  | RunEffect
  | CallEffect
  | { kind: "timer"; id: string; due_at: number }
  | { kind: "continue"; id: string }
  | { kind: "cancel"; id: string };

/** How long what a task hands over is kept, in milliseconds; what is not said is kept as long as the run. */
export interface Retention {
  readonly artifactMs?: number;
  readonly logMs?: number;
}

export interface QueuedRequest {
  id: string;
  /** Canonical JSON of what a runner must offer: the queue's partition. */
  requirement: JsonObject;
  payload: JsonObject;
  workspaceKey: string | null;
  repeatable: boolean;
  /** Higher comes first. */
  priority: number;
  /** Tasks that share a key run at most so many at a time. */
  concurrency: readonly ConcurrencyClaim[];
  expiresAt: number;
  retention?: Retention;
  /** What a person has to agree to before it is queued. */
  gate?: ApprovalGate;
}

export interface InstanceRow {
  id: string;
  tenant_id: string;
  run_id: string;
  definition_digest: string;
  policy_digest: string;
  workflow: string;
  status: string;
  version: number;
  input_seq: number;
  snapshot: string;
  created_at: number;
  updated_at: number;
  finished_at: number | null;
  /** {@link RunOptions} as JSON. */
  options?: string | null;
}

const FINISHED = new Set(["cancelled", "faulted", "completed"]);

export function readInstance(tx: Pick<Transaction, "get">, id: string): InstanceRow | undefined {
  return tx.get<InstanceRow>("SELECT * FROM instance WHERE id = ?", id);
}

/**
 * Put one input into an instance: append it, advance, store the snapshot, the transitions and the effects. All in the
 * caller's transaction, so both or neither happen; two processes on one store never advance the same version.
 * @param before lines of the history that come before the input's own
 * @returns the instance's status afterwards
 */
export function advanceInstance(
  tx: Transaction,
  engine: EnginePort,
  instanceId: string,
  input: StoredInput,
  now: number,
  before: readonly EventRow[] = [],
): string {
  const row = readInstance(tx, instanceId);
  if (row === undefined) throw fail("not_found", `no instance ${instanceId}`);
  return advanceRow(tx, engine, row, input, now, before);
}

/**
 * The same for an instance whose row was just read in this transaction, or is not written yet.
 * @param insert writes the row of a new instance, as its first input has made it
 */
export function advanceRow(
  tx: Transaction,
  engine: EnginePort,
  from: InstanceRow,
  first: StoredInput,
  now: number,
  before: readonly EventRow[] = [],
  insert: ((row: InstanceRow) => void) | null = null,
): string {
  let save = insert;
  let row = from;
  let lines = before;
  const inputs: Known[] = [{ input: first, lines: [] }];
  for (let given = inputs.shift(); given !== undefined; given = inputs.shift()) {
    lines = [...lines, ...given.lines];
    if (row.finished_at !== null) {
      appendEvents(tx, row.id, now, lines);
      return row.status;
    }
    const { next, effects } = advanceOnce(tx, engine, row, given.input, now, lines, save);
    save = null;
    for (const effect of effects) {
      const known = applyEffect(tx, engine, next, effect, now);
      if (known !== null) inputs.push(known);
    }
    row = next;
    lines = [];
  }
  if (first.kind === "effect_succeeded") keepOutput(tx, engine, row, first, now);
  tx.notify("instance", row.id);
  if (row.finished_at !== null) tellParent(tx, engine, row, now);
  return row.status;
}

function advanceOnce(
  tx: Transaction,
  engine: EnginePort,
  row: InstanceRow,
  input: StoredInput,
  now: number,
  before: readonly EventRow[],
  insert: ((row: InstanceRow) => void) | null,
): { next: InstanceRow; effects: StoredEffect[] } {
  const definition = {
    digest: row.definition_digest,
    document: () =>
      tx.get<{ document: string }>("SELECT document FROM definition WHERE digest = ?", row.definition_digest)!
        .document,
  };
  const advance = (given: StoredInput) => {
    const made = engine.advance(definition, JSON.parse(row.snapshot) as StoredSnapshot, given, now);
    return { ...made, input: given, text: JSON.stringify(made.snapshot) };
  };
  let advanced = advance(input);
  if (advanced.text.length > LIMITS.snapshotBytes) {
    const problem = `the state of ${row.run_id} would be ${advanced.text.length} bytes, the limit is ${LIMITS.snapshotBytes}`;
    // What came in does not fit. Only its task can say so: it has come, and nobody will send it again.
    const instead = engine.tooLarge(input, problem);
    if (instead !== null) advanced = advance(instead);
    if (advanced.text.length > LIMITS.snapshotBytes) throw fail("state_too_large", problem);
  }
  const seq = row.input_seq + 1;
  tx.run(
    "INSERT INTO instance_input (instance_id, seq, kind, body, recorded_at, engine_version) VALUES (?, ?, ?, ?, ?, ?)",
    row.id,
    seq,
    advanced.input.kind,
    JSON.stringify(advanced.input),
    now,
    engine.version,
  );
  const { status } = advanced.snapshot;
  const next: InstanceRow = {
    ...row,
    version: row.version + 1,
    input_seq: seq,
    status,
    snapshot: advanced.text,
    updated_at: now,
    finished_at: FINISHED.has(status) ? now : null,
  };
  if (insert === null) updateRow(tx, next, row.version);
  else insert(next);
  appendEvents(tx, row.id, now, [...before, ...advanced.transitions]);
  publishLifecycle(tx, row, `${row.id}.${seq}`, advanced.lifecycle, now);
  return { next, effects: advanced.effects };
}

/** @throws Failure `conflict` when it is no longer the version that was read */
function updateRow(tx: Transaction, row: InstanceRow, from: number): void {
  const changed = tx.run(
    "UPDATE instance SET version = ?, input_seq = ?, status = ?, snapshot = ?, updated_at = ?, finished_at = ? WHERE id = ? AND version = ?",
    row.version,
    row.input_seq,
    row.status,
    row.snapshot,
    row.updated_at,
    row.finished_at,
    row.id,
    from,
  );
  if (changed !== 1) throw fail("conflict", `instance ${row.id} was advanced by another process`);
}

function applyEffect(
  tx: Transaction,
  engine: EnginePort,
  row: InstanceRow,
  effect: StoredEffect,
  now: number,
): Known | null {
  switch (effect.kind) {
    case "timer":
    case "continue":
      tx.run(
        "INSERT INTO timer (instance_id, effect_id, kind, due_at) VALUES (?, ?, ?, ?)",
        row.id,
        effect.id,
        effect.kind,
        effect.kind === "timer" ? effect.due_at : now,
      );
      tx.notify("timer", row.id);
      return null;
    case "cancel":
      if (!cancelChild(tx, engine, row, effect.id, now)) cancelEffect(tx, row, effect.id, now);
      return null;
    case "call": {
      const placed = placeAgent(tx, engine, row, effect, now);
      if ("denied" in placed) return told(placed.denied);
      if (placed.effect.kind === "run") return applyRun(tx, engine, row, placed.effect, now);
      return applyCall(tx, engine, row, placed.effect, now);
    }
    case "listen":
      subscribe(tx, row, effect);
      return null;
    case "workflow":
      return told(startChild(tx, engine, row, effect, now));
    case "ask":
      openQuestion(tx, row, effect, now);
      return null;
    case "emit":
      // A workflow's own event is listened for; what starts workflows comes from outside, by the lane's own rights.
      putEvent(tx, row.tenant_id, effect.event, null, now);
      return null;
    case "run":
      return applyRun(tx, engine, row, effect, now);
  }
}

function applyRun(
  tx: Transaction,
  engine: EnginePort,
  row: InstanceRow,
  effect: RunEffect,
  now: number,
  request: ReturnType<EnginePort["request"]> = engine.request(effect, row),
): Known | null {
  if ("denied" in request) return told(request.denied);
  const revoked = revocationOf(tx, row.policy_digest, request.payload);
  if (revoked !== null) return told(engine.revoked(effect.id, revokedDiagnostic(revoked)));
  if (request.gate !== undefined) {
    // What needs an approval is never answered from the cache.
    const taken = takenOver(tx, row, effect, now);
    if (taken !== null) return taken;
    const { gate, ...queued } = request;
    openApproval(tx, row, { kind: "run", effect, request: queued }, gate, now);
    return null;
  }
  const known = consult(tx, engine, row, effect, request, now);
  if (known === null) insertRequest(tx, row, effect, request, now);
  return known;
}

function applyCall(
  tx: Transaction,
  engine: EnginePort,
  row: InstanceRow,
  effect: CallEffect,
  now: number,
): Known | null {
  const made = engine.runnerCall?.(effect, row) ?? null;
  if (made !== null && "denied" in made) return told(made.denied);
  if (made !== null) return applyRun(tx, engine, row, made.effect, now, made.request);
  const gate = engine.callGate?.(effect, row) ?? null;
  if (gate !== null && "denied" in gate) return told(gate.denied);
  if (gate !== null) {
    const taken = takenOver(tx, row, effect, now);
    if (taken === null) openApproval(tx, row, { kind: "call", effect }, gate, now);
    return taken;
  }
  const known = consult(tx, engine, row, effect, null, now);
  if (known === null) insertCall(tx, engine, row, effect, now);
  return known;
}

/** Decide where an agent runs; the decision is a line of the history and an entry of the audit. */
function placeAgent(
  tx: Transaction,
  engine: EnginePort,
  row: InstanceRow,
  effect: CallEffect,
  now: number,
): { effect: CallEffect | RunEffect } | { denied: StoredInput } {
  const placed = engine.placeAgent?.(effect, row, {
    agent: (reference) => findAgent(tx, { tenantId: row.tenant_id, reference }),
    skill: (digest) => readSkill(tx, { tenantId: row.tenant_id, digest }),
  });
  if (placed === null || placed === undefined) return { effect };
  const refused = "denied" in placed;
  appendEvents(tx, row.id, now, [
    {
      event: refused ? "step.agent_refused" : "step.agent_placed",
      step_id: effect.step_id,
      reference: effect.reference,
      detail: placed.placement,
    },
  ]);
  appendAudit(tx, {
    tenantId: row.tenant_id,
    now,
    actor: "orchestrator",
    action: refused ? "agent.refused" : "agent.placed",
    object: `instance:${row.id}`,
    body: { reference: effect.reference, policyDigest: row.policy_digest, ...placed.placement },
  });
  return placed;
}

const told = (input: StoredInput | null): Known | null => (input === null ? null : { input, lines: [] });

/** @param approval under which it is queued; a request of the same task that was of an older one is that one's successor */
export function insertRequest(
  tx: Transaction,
  row: InstanceRow,
  effect: RunEffect,
  request: QueuedRequest,
  now: number,
  approval: string | null = null,
): void {
  if (approval !== null && queuedAgain(tx, row, effect, request, now, approval)) return;
  const bound =
    request.workspaceKey === null
      ? undefined
      : tx.get<{ runner_id: string }>(
          "SELECT runner_id FROM workspace WHERE instance_id = ? AND key = ?",
          row.id,
          request.workspaceKey,
        );
  // A session workspace lives on one machine: later steps of the session go to the runner that has it.
  const body = JSON.stringify(
    bound === undefined ? request.requirement : { ...request.requirement, runnerId: bound.runner_id },
  );
  const requirement = requirementId(tx, row.tenant_id, body, bound?.runner_id ?? null);
  const { concurrency } = request;
  const full = takeKeys(tx, row.tenant_id, request.id, concurrency);
  tx.run(
    `INSERT INTO request (id, tenant_id, instance_id, effect_id, step_id, reference, requirement, policy_digest, payload,
       template, approval, retention, repeatable, priority, state, concurrency, concurrency_key, attempts, not_before, expires_at,
       created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)`,
    request.id,
    row.tenant_id,
    row.id,
    effect.id,
    effect.step_id,
    effect.reference,
    requirement,
    row.policy_digest,
    JSON.stringify(request.payload),
    (request.payload["commandTemplateId"] as string | undefined) ?? null,
    approval,
    request.retention === undefined ? null : JSON.stringify(request.retention),
    request.repeatable ? 1 : 0,
    request.priority,
    full === null ? "pending" : "parked",
    concurrency.length === 0 ? null : JSON.stringify(concurrency),
    full ?? concurrency[0]?.key ?? null,
    now,
    request.expiresAt,
    now,
  );
  tx.notify("request", request.id);
}

/** A task whose attempt had an unknown outcome is queued again, under the approval that was given for that. */
function queuedAgain(
  tx: Transaction,
  row: InstanceRow,
  effect: RunEffect,
  request: QueuedRequest,
  now: number,
  approval: string,
): boolean {
  const again = tx.all<{ id: string }>(
    `UPDATE request SET state = 'pending', approval = ?, payload = ?, not_before = ?, expires_at = ?, diagnostic = NULL
     WHERE instance_id = ? AND effect_id = ? AND state = 'unknown' RETURNING id`,
    approval,
    JSON.stringify(request.payload),
    now,
    request.expiresAt,
    row.id,
    effect.id,
  )[0];
  if (again !== undefined) tx.notify("request", again.id);
  return again !== undefined;
}

/** The queue's partition of tasks that ask the same of a runner. */
function requirementId(tx: Transaction, tenantId: string, body: string, runnerId: string | null): number {
  // Partitions are never removed, so what was seen once need not be asked for again.
  const key = `requirement ${tenantId} ${body}`;
  const recalled = tx.recall<number>(key);
  if (recalled !== undefined) return recalled;
  const known = tx.get<{ id: number }>(
    "SELECT id FROM requirement WHERE tenant_id = ? AND body = ?",
    tenantId,
    body,
  );
  const { id } =
    known ??
    tx.get<{ id: number }>(
      "INSERT INTO requirement (tenant_id, body, runner_id) VALUES (?, ?, ?) RETURNING id",
      tenantId,
      body,
      runnerId,
    )!;
  tx.remember(key, id);
  return id;
}

/** Stop what an instance no longer waits for: a queued request is taken back, a live lease is told to stop. */
function cancelEffect(tx: Transaction, row: InstanceRow, effectId: string, now: number): void {
  if (tx.run("DELETE FROM timer WHERE instance_id = ? AND effect_id = ?", row.id, effectId) > 0) return;
  if (unsubscribe(tx, row.id, effectId) || withdrawQuestion(tx, row.id, effectId, now)) return;
  withdrawApproval(tx, row.id, effectId, now);
  if (cancelCall(tx, row, effectId, now)) return;
  const request = tx.get<{ id: string; tenant_id: string; state: string; concurrency_key: string | null }>(
    "SELECT id, tenant_id, state, concurrency_key FROM request WHERE instance_id = ? AND effect_id = ?",
    row.id,
    effectId,
  );
  if (request === undefined || request.state === "satisfied") return;
  tx.run("UPDATE request SET state = 'cancelled' WHERE id = ?", request.id);
  const live = tx.all<{ id: string; session_id: string }>(
    "UPDATE lease SET cancel_reason = 'the step was cancelled' WHERE request_id = ? AND state IN ('leased', 'started') RETURNING id, session_id",
    request.id,
  );
  for (const lease of live) tx.notify("session", lease.session_id);
  // A command that is still running keeps its key until its lease has ended.
  if (live.length === 0) releaseKey(tx, request);
  if (request.state === "unknown") {
    tx.run(
      "UPDATE operator_task SET state = 'resolved', resolution = 'the run was cancelled', resolved_at = ? WHERE kind = 'outcome_unknown' AND subject = ? AND state = 'open'",
      now,
      request.id,
    );
  }
}
