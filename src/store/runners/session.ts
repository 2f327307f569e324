import { fail } from "../../base/errors.ts";
import type { Transaction } from "../operation.ts";

export interface SessionRow {
  id: string;
  tenant_id: string;
  runner_id: string;
  generation: number;
  state: "active" | "suspicious" | "draining" | "closed";
  registration: string;
  effective: string;
  health: string;
  last_seen_at: number;
  expires_at: number;
  runner_state: string;
}

export type Credential = "heartbeat" | "claim";

const COLUMNS = `session.id, session.tenant_id, session.runner_id, session.generation, session.state, session.registration,
  session.effective, session.health, session.last_seen_at, session.expires_at, runner.state AS runner_state
  FROM runner_session AS session JOIN runner USING (tenant_id, runner_id)`;

/**
 * The session that a credential belongs to. Who speaks is decided by the credential alone, never by the body.
 * @throws Failure `unauthenticated`; a credential of the other kind is `forbidden`
 */
export function authenticate(
  tx: Pick<Transaction, "get">,
  kind: Credential,
  tokenHash: string,
  now: number,
  claimed: { runnerId?: string; sessionId?: string } = {},
): SessionRow {
  const row = tx.get<SessionRow>(`SELECT ${COLUMNS} WHERE session.${kind}_hash = ?`, tokenHash);
  if (row === undefined) {
    const other = kind === "claim" ? "heartbeat" : "claim";
    if (tx.get(`SELECT 1 FROM runner_session WHERE ${other}_hash = ?`, tokenHash) !== undefined) {
      throw fail("forbidden", `this is a ${other} credential`);
    }
    throw fail("unauthenticated");
  }
  if (row.state === "closed" || row.expires_at <= now) {
    throw fail("runner_session_inactive", undefined, { hint: "register again" });
  }
  if (row.runner_state !== "approved") throw fail("unauthenticated");
  if (claimed.runnerId !== undefined && claimed.runnerId !== row.runner_id) throw fail("runner_mismatch");
  if (claimed.sessionId !== undefined && claimed.sessionId !== row.id) throw fail("runner_session_inactive");
  return row;
}
