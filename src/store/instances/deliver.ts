import { fail } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import type { Operation, Query, Transaction } from "../operation.ts";
import { openOperatorTask } from "../operators/operator-tasks.ts";
import { advanceInstance } from "./advance.ts";
import type { EnginePort } from "./engine-port.ts";
import { isLifecycle } from "./lifecycle.ts";
import { findPublication } from "./publications.ts";
import { startInstance } from "./start.ts";

/** Positions of the oldest events that are not delivered yet; of start events only those of the lanes, where any are named. */
export const nextEvents: Query<{ limit: number; lanes: readonly string[] | null }, number[]> = (
  tx,
  { limit, lanes },
) =>
  tx
    .all<{ seq: number }>(
      `SELECT seq FROM event_inbox WHERE state = 'pending' AND (? IS NULL OR lane IS NULL OR lane IN (SELECT value FROM json_each(?)))
       ORDER BY seq LIMIT ?`,
      lanes === null ? null : 1,
      JSON.stringify(lanes ?? []),
      limit,
    )
    .map(({ seq }) => seq);

/** Listeners that one transaction tells: more would hold the store for too long. */
const TELL_AT_ONCE = 500;

interface EventRow {
  seq: number;
  tenant_id: string;
  source: string;
  event_id: string;
  type: string;
  lane: string | null;
  aggregate: string | null;
  body: string;
  state: string;
  delivered_to: string | null;
  sent_by: string | null;
}

/**
 * Handle one event in one transaction: start its workflow once, or give it to every task that listens for it, each of
 * which consumes it once or not at all. One that comes after a poisoned event of its aggregate waits for that.
 * @throws whatever its handling throws; nothing has happened then
 */
export const deliverEvent: Operation<{ engine: EnginePort; seq: number; now: number }, void> = (
  tx,
  input,
) => {
  const row = tx.get<EventRow>(
    "SELECT seq, tenant_id, source, event_id, type, lane, aggregate, body, state, delivered_to, sent_by FROM event_inbox WHERE seq = ?",
    input.seq,
  );
  if (row === undefined || row.state !== "pending") return;
  const before = row.aggregate === null ? null : stateBefore(tx, row, row.aggregate);
  if (before === "pending") return;
  if (before !== null) {
    tx.run("UPDATE event_inbox SET state = 'blocked' WHERE seq = ?", row.seq);
    return;
  }
  const event = JSON.parse(row.body) as JsonObject;
  if (row.lane === null) tellListeners(tx, input.engine, row, event, input.now);
  else startFromEvent(tx, input.engine, row, event, input.now);
};

/** What holds the events of an aggregate up: the state of the earliest one that is not settled, before this one. */
function stateBefore(tx: Transaction, row: EventRow, aggregate: string): string | null {
  const earlier = tx.get<{ state: string }>(
    `SELECT state FROM event_inbox WHERE tenant_id = ? AND aggregate = ? AND state IN ('pending', 'aside', 'blocked') AND seq < ?
       AND lane IS ? ORDER BY seq LIMIT 1`,
    row.tenant_id,
    aggregate,
    row.seq,
    row.lane,
  );
  return earlier?.state ?? null;
}

/** An event with the extension attribute `lightflowrun` is for that run alone. */
function addressee(tx: Transaction, tenantId: string, event: JsonObject): string | null {
  const run = event["lightflowrun"];
  if (typeof run !== "string") return null;
  const found = tx.get<{ id: string }>(
    "SELECT id FROM instance WHERE tenant_id = ? AND run_id = ?",
    tenantId,
    run,
  );
  return found?.id ?? "";
}

/** Whether a run listens for a type at the moment. */
export const listensFor: Query<{ instanceId: string; type: string }, boolean> = (tx, { instanceId, type }) =>
  tx.get("SELECT 1 FROM subscription WHERE instance_id = ? AND type IN (?, '') LIMIT 1", instanceId, type) !==
  undefined;

function tellListeners(
  tx: Transaction,
  engine: EnginePort,
  row: EventRow,
  event: JsonObject,
  now: number,
): void {
  const listeners = listenersOf(tx, engine, row, event);
  for (const { instance_id, effect_id } of listeners)
    advanceInstance(tx, engine, instance_id, { kind: "event", effect: effect_id, event } as never, now);
  const last = listeners.length < TELL_AT_ONCE ? undefined : listeners.at(-1);
  if (last === undefined) settle(tx, row.seq, null);
  else
    tx.run(
      "UPDATE event_inbox SET delivered_to = ? WHERE seq = ?",
      `${last.instance_id} ${last.effect_id}`,
      row.seq,
    );
}

interface Listening {
  instance_id: string;
  effect_id: string;
}

/** The next listeners that an event may be for, in order, each once. */
function listenersOf(tx: Transaction, engine: EnginePort, row: EventRow, event: JsonObject): Listening[] {
  // Who listens for everything would hear of its own listening, for ever.
  const types = isLifecycle(row.type) ? [row.type] : [row.type, ""];
  const only = addressee(tx, row.tenant_id, event);
  if (only !== null) return listenersIn(tx, row, only, types);
  const found = new Map<string, Listening>();
  for (const type of types) {
    for (const correlation of correlationsOf(tx, row.tenant_id, type)) {
      const value = correlation === "" ? "" : engine.correlation(correlation, event);
      if (value === null) continue;
      for (const each of listenersBy(tx, row, type, correlation, value))
        found.set(`${each.instance_id} ${each.effect_id}`, each);
    }
  }
  return [...found]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .slice(0, TELL_AT_ONCE)
    .map(([, each]) => each);
}

/** What one instance listens with. */
function listenersIn(
  tx: Transaction,
  row: EventRow,
  instanceId: string,
  types: readonly string[],
): Listening[] {
  return tx.all<Listening>(
    `SELECT DISTINCT instance_id, effect_id FROM subscription WHERE instance_id = ? AND tenant_id = ? AND type IN (?, ?)
       AND after_seq < ? ORDER BY effect_id`,
    instanceId,
    row.tenant_id,
    types[0]!,
    types.at(-1)!,
    row.seq,
  );
}

/** The expressions by which listeners of a type are kept: a look each, however many listen. */
function correlationsOf(tx: Transaction, tenantId: string, type: string): string[] {
  const found: string[] = [];
  for (let last: string | undefined; ; found.push(last)) {
    const next = tx.get<{ correlation: string }>(
      `SELECT correlation FROM subscription WHERE tenant_id = ? AND type = ? AND correlation ${last === undefined ? ">=" : ">"} ? ORDER BY correlation LIMIT 1`,
      tenantId,
      type,
      last ?? "",
    );
    if (next === undefined) return found;
    last = next.correlation;
  }
}

/** @param value undefined where it cannot be known: all of them, and each says itself what is wrong */
function listenersBy(
  tx: Transaction,
  row: EventRow,
  type: string,
  correlation: string,
  value: string | undefined,
): Listening[] {
  const [instance = "", effect = ""] = row.delivered_to?.split(" ") ?? [];
  return tx.all<Listening>(
    `SELECT instance_id, effect_id FROM subscription WHERE tenant_id = ? AND type = ? AND correlation = ?
       ${value === undefined ? "" : "AND value = ?"} AND (instance_id, effect_id) > (?, ?) AND after_seq < ?
     ORDER BY instance_id, effect_id LIMIT ?`,
    row.tenant_id,
    type,
    correlation,
    ...(value === undefined ? [] : [value]),
    instance,
    effect,
    row.seq,
    TELL_AT_ONCE,
  );
}

/** The instance is known by the event: whoever comes second finds it. */
function startFromEvent(
  tx: Transaction,
  engine: EnginePort,
  row: EventRow,
  event: JsonObject,
  now: number,
): void {
  const data = isObject(event["data"]) ? (event["data"] as JsonObject) : {};
  const wanted = (isObject(data["workflow"]) ? data["workflow"] : {}) as Record<string, Json>;
  const [namespace, name, version] = [wanted["namespace"], wanted["name"], wanted["version"] ?? "latest"].map(
    String,
  ) as [string, string, string];
  const found = findPublication(tx, row.tenant_id, { namespace, name, version });
  if (found === undefined)
    throw fail("not_found", `no workflow is published as ${namespace}/${name} ${version}`, {
      hint: "publish it, then `lightflow event repair` with --retry",
    });
  const { document } = tx.get<{ document: string }>(
    "SELECT document FROM definition WHERE digest = ?",
    found.digest,
  )!;
  const instanceId = newId();
  const runId = typeof data["run_id"] === "string" ? data["run_id"] : `${name}-event-${row.seq}`;
  const started = startInstance(tx, {
    engine,
    instanceId,
    tenantId: row.tenant_id,
    runId,
    requestDigest: `event:${row.source} ${row.event_id}`,
    idempotent: false,
    sourceEventId: `${row.source} ${row.event_id}`,
    workflow: name,
    definition: { ...found, assetId: null, document: () => document },
    ...engine.child(
      row.tenant_id,
      document,
      found.digest,
      instanceId,
      runId,
      0,
      now,
      engine.isPrivateEvent(event),
    ),
    input: data["input"] ?? {},
    options: row.sent_by === null ? undefined : { by: row.sent_by },
    now,
  });
  settle(tx, row.seq, started.runId);
}

function settle(tx: Transaction, seq: number, runId: string | null): void {
  tx.run(
    "UPDATE event_inbox SET state = 'delivered', run_id = ?, delivered_to = NULL, diagnostic = NULL WHERE seq = ?",
    runId,
    seq,
  );
}

/** Tries after which an event is poisoned: what fails for a reason of its own fails every time. */
const MAX_TRIES = 3;

/**
 * The handling of an event has failed. After the last try it is set aside and an operator is asked; events of other
 * aggregates go on. @returns whether it was set aside now
 */
export const countFailedDelivery: Operation<{ seq: number; reason: string; now: number }, boolean> = (
  tx,
  { seq, reason, now },
) => {
  const row = tx.get<EventRow & { tries: number }>(
    "SELECT tenant_id, source, event_id, type, lane, tries FROM event_inbox WHERE seq = ? AND state = 'pending'",
    seq,
  );
  if (row === undefined) return false;
  const aside = row.tries + 1 >= MAX_TRIES;
  tx.run(
    "UPDATE event_inbox SET tries = tries + 1, state = ?, diagnostic = ? WHERE seq = ?",
    aside ? "aside" : "pending",
    reason,
    seq,
  );
  if (aside) {
    openOperatorTask(tx, {
      tenantId: row.tenant_id,
      kind: "poisoned_event",
      subject: poisonedSubject(seq),
      instanceId: null,
      body: { event: seq, source: row.source, id: row.event_id, type: row.type, lane: row.lane, reason },
      now,
    });
  }
  return aside;
};

/** How an operator's task names an event. */
export const poisonedSubject = (seq: number): string => `event:${seq}`;
