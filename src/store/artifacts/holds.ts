import { fail } from "../../base/errors.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation, Query } from "../operation.ts";
import { giveUp, namedAt } from "./expire.ts";
import { findReference } from "./references.ts";

export interface LegalHold {
  id: string;
  tenant_id: string;
  kind: "artifact" | "run";
  /** A digest, or an instance. */
  target: string;
  run_id: string | null;
  reason: string;
  placed_by: string;
  placed_at: number;
  released_by: string | null;
  released_at: number | null;
  release_reason: string | null;
}

export interface PlaceHold {
  id: string;
  tenantId: string;
  /** One of the two. */
  sha256: string | null;
  runId: string | null;
  reason: string;
  actor: string;
  now: number;
}

/**
 * Keep bytes, or all of a run, until the hold is released: no retention, pruning or compaction takes them.
 * @throws Failure `artifact_not_found`, `artifact_expired`, `not_found`
 */
export const placeHold: Operation<PlaceHold, LegalHold> = (tx, input) => {
  const { tenantId, sha256, runId, now } = input;
  const target = sha256 === null ? instanceOf(input) : digestOf(input);
  tx.run(
    `INSERT INTO legal_hold (id, tenant_id, kind, target, run_id, reason, placed_by, placed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    input.id,
    tenantId,
    sha256 === null ? "run" : "artifact",
    target,
    runId,
    input.reason,
    input.actor,
    now,
  );
  appendAudit(tx, {
    tenantId,
    now,
    actor: input.actor,
    action: "hold.placed",
    object: sha256 === null ? `run:${runId}` : `artifact:${sha256}`,
    body: { hold: input.id, reason: input.reason },
  });
  return readHold(tx, { tenantId, id: input.id })!;

  function instanceOf({ runId }: PlaceHold): string {
    const found = tx.get<{ id: string }>(
      "SELECT id FROM instance WHERE tenant_id = ? AND run_id = ?",
      tenantId,
      runId,
    );
    if (found === undefined) throw fail("not_found", `not found: run ${runId}`);
    return found.id;
  }

  function digestOf({ sha256 }: PlaceHold): string {
    const found = findReference(tx, { tenantId, sha256: sha256!, now });
    if (found === null) throw fail("artifact_not_found", `no artifact ${sha256}`);
    if (found.expired !== null)
      throw fail("artifact_expired", `the artifact ${sha256} is gone, or about to be`);
    return sha256!;
  }
};

/** @throws Failure `not_found`, `conflict` when it was released before */
export const releaseHold: Operation<
  { tenantId: string; id: string; reason: string; actor: string; now: number },
  LegalHold
> = (tx, { tenantId, id, reason, actor, now }) => {
  const hold = readHold(tx, { tenantId, id });
  if (hold === null) throw fail("not_found", `not found: legal hold ${id}`);
  if (hold.released_at !== null) throw fail("conflict", `the legal hold ${id} is released already`);
  tx.run(
    "UPDATE legal_hold SET released_by = ?, released_at = ?, release_reason = ? WHERE id = ?",
    actor,
    now,
    reason,
    id,
  );
  // It may have been the last thing that needed the bytes.
  if (hold.kind === "artifact") giveUp(tx, hold.target, namedAt(tx, hold.target));
  appendAudit(tx, {
    tenantId,
    now,
    actor,
    action: "hold.released",
    object: hold.kind === "run" ? `run:${hold.run_id}` : `artifact:${hold.target}`,
    body: { hold: id, reason },
  });
  return { ...hold, released_by: actor, released_at: now, release_reason: reason };
};

export const readHold: Query<{ tenantId: string; id: string }, LegalHold | null> = (tx, { tenantId, id }) =>
  tx.get<LegalHold>("SELECT * FROM legal_hold WHERE id = ? AND tenant_id = ?", id, tenantId) ?? null;

/** Holds of a tenant, newest first. @param input.all with those that were released */
export const listHolds: Query<{ tenantId: string; all: boolean; limit: number }, LegalHold[]> = (
  tx,
  { tenantId, all, limit },
) =>
  tx.all<LegalHold>(
    `SELECT * FROM legal_hold WHERE tenant_id = ? AND (? OR released_at IS NULL) ORDER BY placed_at DESC LIMIT ?`,
    tenantId,
    all ? 1 : 0,
    limit,
  );

/** Standing holds that name one of some targets. */
export const holdsOn: Query<{ tenantId: string; targets: readonly string[] }, LegalHold[]> = (
  tx,
  { tenantId, targets },
) =>
  targets.flatMap((target) =>
    tx.all<LegalHold>(
      "SELECT * FROM legal_hold WHERE target = ? AND tenant_id = ? AND released_at IS NULL ORDER BY placed_at",
      target,
      tenantId,
    ),
  );
