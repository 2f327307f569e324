import type { JsonObject } from "../../base/json.ts";
import type { Query, Transaction } from "../operation.ts";

export interface RunnerView {
  tenant_id: string;
  runner_id: string;
  host_id: string;
  state: string;
  reason: string | null;
  /** Whether a key is bound: the runner has come at least once. */
  enrolled: boolean;
  session: null | {
    id: string;
    generation: number;
    state: string;
    reason: string | null;
    healthy: boolean;
    last_seen_at: number;
    registration: JsonObject;
    effective: JsonObject;
    active_leases: number;
  };
}

export interface RunnerDetail extends RunnerView {
  admission: JsonObject;
  public_key: string | null;
  pinned: JsonObject | null;
  /** Facts that wait for an operator's approval. */
  reported: JsonObject | null;
  approved_snapshot: JsonObject | null;
  seen_snapshot: JsonObject | null;
  created_at: number;
}

interface Row {
  tenant_id: string;
  runner_id: string;
  host_id: string;
  state: string;
  reason: string | null;
  public_key: string | null;
  id: string | null;
  generation: number;
  session_state: string;
  session_reason: string | null;
  healthy: number;
  last_seen_at: number;
  registration: string;
  offer: string;
  active: number;
}

const VIEW = `SELECT runner.tenant_id, runner.runner_id, runner.host_id, runner.state, runner.reason, runner.public_key, session.id,
    session.generation, session.state AS session_state, session.reason AS session_reason, session.healthy, session.last_seen_at,
    session.registration, session.offer,
    (SELECT count(*) FROM lease WHERE lease.session_id = session.id AND lease.state IN ('leased', 'started')) AS active
  FROM runner LEFT JOIN runner_session AS session
    ON session.tenant_id = runner.tenant_id AND session.runner_id = runner.runner_id AND session.state <> 'closed'
  WHERE runner.tenant_id = ?`;

const object = (text: string | null): JsonObject | null =>
  text === null ? null : (JSON.parse(text) as JsonObject);

const view = (row: Row): RunnerView => ({
  tenant_id: row.tenant_id,
  runner_id: row.runner_id,
  host_id: row.host_id,
  state: row.state,
  reason: row.reason,
  enrolled: row.public_key !== null,
  session:
    row.id === null
      ? null
      : {
          id: row.id,
          generation: row.generation,
          state: row.session_state,
          reason: row.session_reason,
          healthy: row.healthy === 1,
          last_seen_at: row.last_seen_at,
          registration: JSON.parse(row.registration) as JsonObject,
          effective: JSON.parse(row.offer) as JsonObject,
          active_leases: row.active,
        },
});

export const listRunners: Query<{ tenantId: string }, RunnerView[]> = (tx, { tenantId }) =>
  tx.all<Row>(`${VIEW} ORDER BY runner.runner_id`, tenantId).map(view);

/** One runner with all that an operator decides on, or null. */
export const findRunner: Query<{ tenantId: string; runnerId: string }, RunnerDetail | null> = (tx, input) => {
  const row = tx.get<Row>(`${VIEW} AND runner.runner_id = ?`, input.tenantId, input.runnerId);
  if (row === undefined) return null;
  const more = tx.get<{
    admission: string;
    pinned: string | null;
    reported: string | null;
    approved_snapshot: string | null;
    seen_snapshot: string | null;
    created_at: number;
  }>(
    "SELECT admission, pinned, reported, approved_snapshot, seen_snapshot, created_at FROM runner WHERE tenant_id = ? AND runner_id = ?",
    input.tenantId,
    input.runnerId,
  )!;
  return {
    ...view(row),
    admission: JSON.parse(more.admission) as JsonObject,
    public_key: row.public_key,
    pinned: object(more.pinned),
    reported: object(more.reported),
    approved_snapshot: object(more.approved_snapshot),
    seen_snapshot: object(more.seen_snapshot),
    created_at: more.created_at,
  };
};

/** Who a credential's digest belongs to, for the audit of what was refused; of either kind, in any state. */
export function holderOf(
  tx: Pick<Transaction, "get">,
  tokenHash: string,
): { tenant_id: string; runner_id: string; id: string } | undefined {
  const columns = "tenant_id, runner_id, id";
  return (
    tx.get(`SELECT ${columns} FROM runner_session WHERE claim_hash = ?`, tokenHash) ??
    tx.get(`SELECT ${columns} FROM runner_session WHERE heartbeat_hash = ?`, tokenHash)
  );
}
