import { fail } from "../../base/errors.ts";
import { LIMITS } from "../../base/limits.ts";
import { findAgent, readSkill } from "../agents/agents.ts";
import { openApproval, withdrawApproval } from "../approvals/open.ts";
import { appendAudit } from "../audit/append.ts";
import { consult, type Known, keepOutput, takenOver } from "../cache/consult.ts";
import { keep } from "../kept.ts";
import type { Transaction } from "../operation.ts";
import { revocationOf, revokedDiagnostic } from "../policy/snapshots.ts";
import type { Reader } from "../runners/session.ts";
import { cancelCall, insertCall } from "./calls.ts";
import { cancelChild, startChild, tellParent } from "./children.ts";
import type {
  CallEffect,
  EnginePort,
  InstanceRow,
  RunEffect,
  StoredEffect,
  StoredInput,
  StoredSnapshot,
} from "./engine-port.ts";
import { appendEvents, type EventRow } from "./events.ts";
import { putEvent, subscribe, unsubscribe } from "./inbox.ts";
import { publishLifecycle } from "./lifecycle.ts";
import { openQuestion, withdrawQuestion } from "./questions.ts";
import { cancelRequest, insertRequest } from "./requests.ts";

const FINISHED = new Set(["cancelled", "faulted", "completed"]);

export function readInstance(tx: Reader, id: string): InstanceRow | undefined {
  const known = tx.kept?.instance.get(id) as InstanceRow | undefined;
  return known ?? tx.get<InstanceRow>("SELECT * FROM instance WHERE id = ?", id);
}

/** Rows kept at once, the newest; and how large a state may be for that. */
const KEPT = 1024;
const KEPT_BYTES = 16 * 1024;

/** What goes on soon need not be read back. */
function keepRow({ kept }: Transaction, row: InstanceRow): void {
  kept.instance.delete(row.id);
  if (row.finished_at !== null || row.snapshot.length > KEPT_BYTES) return;
  keep(kept.instance, row.id, row, KEPT);
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
 * @param made of an instance that is new
 */
export function advanceRow(
  tx: Transaction,
  engine: EnginePort,
  from: InstanceRow,
  first: StoredInput,
  now: number,
  before: readonly EventRow[] = [],
  made: NewInstance | null = null,
): string {
  let isNew = made;
  let row = from;
  let lines = before;
  const inputs: Known[] = [{ input: first, lines: [] }];
  for (let given = inputs.shift(); given !== undefined; given = inputs.shift()) {
    lines = [...lines, ...given.lines];
    if (row.finished_at !== null) {
      appendEvents(tx, row.id, now, lines);
      return row.status;
    }
    const { next, effects } = advanceOnce(tx, engine, row, given.input, now, lines, isNew);
    isNew = null;
    for (const effect of effects) {
      const known = applyEffect(tx, engine, next, effect, now);
      if (known !== null) inputs.push(known);
    }
    row = next;
    lines = [];
  }
  if (first.kind === "effect_succeeded") keepOutput(tx, engine, row, first, now);
  tx.notify("instance", row.id);
  if (row.finished_at !== null) {
    tx.notify("ended", row.id);
    tellParent(tx, engine, row, now);
  }
  return row.status;
}

/** An instance whose row is not written yet. */
interface NewInstance {
  /** Its state before its first input. */
  snapshot(): StoredSnapshot;
  /** Writes its row, as that input has made it. */
  insert(row: InstanceRow): void;
}

function advanceOnce(
  tx: Transaction,
  engine: EnginePort,
  row: InstanceRow,
  input: StoredInput,
  now: number,
  before: readonly EventRow[],
  isNew: NewInstance | null,
): { next: InstanceRow; effects: StoredEffect[] } {
  const definition = {
    digest: row.definition_digest,
    document: () =>
      tx.get<{ document: string }>("SELECT document FROM definition WHERE digest = ?", row.definition_digest)!
        .document,
  };
  const advance = (given: StoredInput) => {
    const state = isNew === null ? (JSON.parse(row.snapshot) as StoredSnapshot) : isNew.snapshot();
    const made = engine.advance(definition, state, given, now);
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
  if (isNew === null) updateRow(tx, next, row.version);
  else isNew.insert(next);
  keepRow(tx, next);
  appendEvents(tx, row.id, now, [...before, ...advanced.transitions]);
  publishLifecycle(tx, row, `${row.id}.${seq}`, advanced.lifecycle, now);
  return { next, effects: advanced.effects };
}

/** @throws Failure `conflict` when it is no longer the version that was read */
function updateRow(tx: Transaction, row: InstanceRow, from: number): void {
  const changed = tx.run(
    "UPDATE /* kept */ instance SET version = ?, input_seq = ?, status = ?, snapshot = ?, updated_at = ?, finished_at = ? WHERE id = ? AND version = ?",
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

/** Stop what an instance no longer waits for. */
function cancelEffect(tx: Transaction, row: InstanceRow, effectId: string, now: number): void {
  if (tx.run("DELETE FROM timer WHERE instance_id = ? AND effect_id = ?", row.id, effectId) > 0) return;
  if (unsubscribe(tx, row.id, effectId) || withdrawQuestion(tx, row.id, effectId, now)) return;
  withdrawApproval(tx, row.id, effectId, now);
  if (cancelCall(tx, row, effectId, now)) return;
  cancelRequest(tx, row.id, effectId, now);
}
