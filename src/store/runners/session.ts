import { fail } from "../../base/errors.ts";
import type { Transaction } from "../operation.ts";

/** What a runner may be given: its registration, cut down to what was approved. */
export interface RunnerOffer {
  readonly hostId: string;
  readonly runnerKind: string;
  readonly runnerPools: readonly string[];
  readonly executionProfiles: readonly string[];
  readonly capabilities: readonly string[];
  readonly sandboxModes: readonly string[];
  /** Approved by provider and template, as the runner proved them. */
  readonly sandboxProviders: readonly {
    readonly provider: string;
    readonly template: string;
    readonly boundary: string;
    readonly features: readonly string[];
  }[];
  readonly modelProviderScopes: readonly string[];
  readonly slots: number;
}

export interface SessionRow {
  id: string;
  tenant_id: string;
  runner_id: string;
  state: "active" | "suspicious" | "draining" | "quarantined" | "closed";
  offer: string;
  healthy: number;
  last_seen_at: number;
  expires_at: number;
}

export type Credential = "heartbeat" | "claim";

const COLUMNS = "id, tenant_id, runner_id, state, offer, healthy, last_seen_at, expires_at";

/** Offers by their text: the same few are read for every claim. */
const parsed = new Map<string, RunnerOffer>();

export function offerOf(session: Pick<SessionRow, "offer">): RunnerOffer {
  let offer = parsed.get(session.offer);
  if (offer === undefined) {
    offer = JSON.parse(session.offer) as RunnerOffer;
    if (parsed.size >= 4096) parsed.clear();
    parsed.set(session.offer, offer);
  }
  return offer;
}

/** A view, or a transaction: the latter keeps rows. */
export type Reader = Pick<Transaction, "get"> & Partial<Pick<Transaction, "kept">>;

function sessionOf(tx: Reader, kind: Credential, tokenHash: string): SessionRow | undefined {
  const key = `${kind} ${tokenHash}`;
  const known = tx.kept?.runner_session.get(key) as SessionRow | undefined;
  if (known !== undefined) return known;
  const row = tx.get<SessionRow>(`SELECT ${COLUMNS} FROM runner_session WHERE ${kind}_hash = ?`, tokenHash);
  if (row !== undefined) tx.kept?.runner_session.set(key, row);
  return row;
}

/**
 * The session that a credential belongs to. Who speaks is decided by the credential alone, never by the body. Whoever
 * takes a runner's approval away changes its session in the same transaction, so an open one is an approved one. A
 * quarantine takes the credentials back; what they are still good for, `onLease`, the lease itself decides.
 * @throws Failure `unauthenticated`, `runner_session_inactive`; a credential of the other kind is `forbidden`
 */
export function authenticate(
  tx: Reader,
  kind: Credential,
  tokenHash: string,
  now: number,
  claimed: { runnerId?: string; sessionId?: string; onLease?: boolean } = {},
): SessionRow {
  const row = sessionOf(tx, kind, tokenHash);
  if (row === undefined) {
    const other = kind === "claim" ? "heartbeat" : "claim";
    if (tx.get(`SELECT 1 FROM runner_session WHERE ${other}_hash = ?`, tokenHash) !== undefined) {
      throw fail("forbidden", `this is a ${other} credential`);
    }
    throw fail("unauthenticated");
  }
  if (
    row.state === "closed" ||
    row.expires_at <= now ||
    (row.state === "quarantined" && !mayEnd(tx, kind, row, claimed))
  ) {
    throw fail("runner_session_inactive", undefined, { hint: "register again" });
  }
  if (claimed.runnerId !== undefined && claimed.runnerId !== row.runner_id) throw fail("runner_mismatch");
  if (claimed.sessionId !== undefined && claimed.sessionId !== row.id) throw fail("runner_session_inactive");
  return row;
}

/** Whether a quarantined session may still do this: report on its leases, and stay in touch while it has any. */
function mayEnd(
  tx: Pick<Transaction, "get">,
  kind: Credential,
  row: SessionRow,
  claimed: { onLease?: boolean },
): boolean {
  if (claimed.onLease === true) return true;
  return (
    kind === "heartbeat" &&
    tx.get("SELECT 1 FROM lease WHERE session_id = ? AND state IN ('leased', 'started') LIMIT 1", row.id) !==
      undefined
  );
}
