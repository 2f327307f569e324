import { appendAudit } from "../audit/append.ts";
import type { Operation, Query, Transaction } from "../operation.ts";
import { isOver, type Reference } from "./over.ts";

/** A reference whose time has passed; whether it may go is decided in the transaction that gives it up. */
export interface DueReference extends Reference {
  name: string;
  kind: "artifact" | "log" | "reused" | "upload";
  size: number;
  expires_at: number;
}

export interface DuePage {
  references: DueReference[];
  /** For the next page. */
  after: DueReference | null;
}

/** References whose time has passed, oldest first, a page at a time: what stays for now is passed over. */
export const dueReferences: Query<
  { now: number; tenantId: string | null; after: DueReference | null; limit: number },
  DuePage
> = (tx, { now, tenantId, after, limit }) => {
  const page: DueReference[] = [];
  if (after?.kind !== "upload") {
    page.push(
      ...tx.all<DueReference>(
        `SELECT tenant_id, sha256, instance_id, lease_id, name, kind, size, expires_at, expired_at FROM artifact
         WHERE expires_at IS NOT NULL AND expired_at IS NULL AND expires_at <= ?
           AND (expires_at, instance_id, lease_id, name, sha256) > (?, ?, ?, ?, ?)
         ORDER BY expires_at, instance_id, lease_id, name, sha256 LIMIT ?`,
        now,
        after?.expires_at ?? -1,
        after?.instance_id ?? "",
        after?.lease_id ?? "",
        after?.name ?? "",
        after?.sha256 ?? "",
        limit,
      ),
    );
  }
  if (page.length < limit) {
    const from = after?.kind === "upload" ? after : null;
    page.push(
      ...tx.all<DueReference>(
        `SELECT tenant_id, sha256, NULL AS instance_id, NULL AS lease_id, coalesce(name, '') AS name, 'upload' AS kind, size,
           expires_at, expired_at
         FROM upload WHERE expires_at IS NOT NULL AND expired_at IS NULL AND expires_at <= ?
           AND (expires_at, tenant_id, sha256) > (?, ?, ?) ORDER BY expires_at, tenant_id, sha256 LIMIT ?`,
        now,
        from?.expires_at ?? -1,
        from?.tenant_id ?? "",
        from?.sha256 ?? "",
        limit - page.length,
      ),
    );
  }
  return {
    references: page.filter(
      (each) => (tenantId === null || each.tenant_id === tenantId) && isOver(tx, each, now),
    ),
    after: page.length < limit ? null : page.at(-1)!,
  };
};

/**
 * Give up references whose time is over: the row stays with its digest, and what has to go is written down for as long as
 * it is there. @returns what was given up
 */
export const expireReferences: Operation<
  { references: readonly DueReference[]; now: number },
  DueReference[]
> = (tx, { references, now }) => {
  const gone = new Map<string, DueReference[]>();
  for (const reference of references) {
    if (!expire(tx, reference, now)) continue;
    const of = gone.get(reference.tenant_id) ?? [];
    of.push(reference);
    gone.set(reference.tenant_id, of);
  }
  for (const [tenantId, expired] of gone) {
    appendAudit(tx, {
      tenantId,
      now,
      actor: "retention",
      action: "artifact.expired",
      object: `tenant:${tenantId}`,
      body: {
        artifactRefs: expired.map(({ sha256, kind, lease_id }) => ({
          sha256,
          kind,
          ...(lease_id === null ? {} : { lease: lease_id }),
        })),
      },
    });
  }
  return [...gone.values()].flat();
};

function expire(tx: Transaction, due: DueReference, now: number): boolean {
  // A repeat of the upload, a hold or another sweep may have come between.
  const changed =
    due.kind === "upload"
      ? tx.get<Reference>(
          `SELECT tenant_id, sha256, NULL AS instance_id, NULL AS lease_id, expires_at, expired_at FROM upload
           WHERE tenant_id = ? AND sha256 = ?`,
          due.tenant_id,
          due.sha256,
        )
      : tx.get<Reference>(
          `SELECT tenant_id, sha256, instance_id, lease_id, expires_at, expired_at FROM artifact
           WHERE instance_id = ? AND lease_id = ? AND name = ? AND sha256 = ?`,
          due.instance_id,
          due.lease_id,
          due.name,
          due.sha256,
        );
  if (changed === undefined || changed.expired_at !== null || !isOver(tx, changed, now)) return false;
  if (due.kind === "upload") {
    tx.run(
      "UPDATE upload SET expired_at = ? WHERE tenant_id = ? AND sha256 = ?",
      now,
      due.tenant_id,
      due.sha256,
    );
  } else {
    tx.run(
      "UPDATE artifact SET expired_at = ? WHERE instance_id = ? AND lease_id = ? AND name = ? AND sha256 = ?",
      now,
      due.instance_id,
      due.lease_id,
      due.name,
      due.sha256,
    );
  }
  giveUp(tx, due.sha256, namedAt(tx, due.sha256));
  if (due.kind === "log") {
    // The same output stands in the spool as it came.
    tx.run("DELETE FROM log_chunk WHERE lease_id = ? AND stream = ?", due.lease_id, due.name);
    tx.run(
      "INSERT INTO removal (kind, target, named_at) VALUES ('spool', ?, ?) ON CONFLICT DO NOTHING",
      `${due.lease_id}/${due.name}`,
      now,
    );
  }
  return true;
}

/** Write down that the bytes of a digest may go, if nothing needs them when their turn comes. */
export function giveUp(tx: Pick<Transaction, "run">, sha256: string, named: number): void {
  tx.run(
    `INSERT INTO removal (kind, target, named_at) VALUES ('artifact', ?, ?)
     ON CONFLICT DO UPDATE SET named_at = max(named_at, excluded.named_at)`,
    sha256,
    named,
  );
}

/** When a row that names a digest was made last. */
export const namedAt = (tx: Transaction, sha256: string): number =>
  tx.get<{ at: number }>(
    `SELECT max(coalesce((SELECT max(created_at) FROM artifact WHERE sha256 = ?1), 0),
       coalesce((SELECT max(noted_at) FROM upload WHERE sha256 = ?1), 0)) AS at`,
    sha256,
  )!.at;
