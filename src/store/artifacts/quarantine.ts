import { fail } from "../../base/errors.ts";
import { appendAudit } from "../audit/append.ts";
import { findLease, type LeaseCaller } from "../leases/live.ts";
import type { Operation, Query } from "../operation.ts";

/** An upload that was not what it was announced as. */
export interface QuarantinedUpload {
  /** The name of its bytes in the quarantine. */
  id: string;
  tenant_id: string;
  instance_id: string;
  lease_id: string;
  announced: string;
  actual: string;
  size: number;
  created_at: number;
  expires_at: number;
}

/** Note whose upload was set aside. */
export const noteQuarantined: Operation<
  LeaseCaller & { id: string; announced: string; actual: string; size: number; expiresAt: number },
  void
> = (tx, input) => {
  const lease = findLease(tx, input);
  tx.run(
    `INSERT INTO quarantined_upload (id, tenant_id, instance_id, lease_id, announced, actual, size, created_at, expires_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    input.id,
    lease.tenant_id,
    lease.instance_id,
    lease.id,
    input.announced,
    input.actual,
    input.size,
    input.now,
    input.expiresAt,
  );
  appendAudit(tx, {
    tenantId: lease.tenant_id,
    now: input.now,
    actor: `runner:${lease.runner_id}`,
    action: "artifact.quarantined",
    object: `lease:${lease.id}`,
    body: { announced: input.announced, actual: input.actual, upload: input.id },
  });
};

/** Uploads of a tenant that are set aside, newest first. */
export const listQuarantined: Query<{ tenantId: string; limit: number }, QuarantinedUpload[]> = (
  tx,
  { tenantId, limit },
) =>
  tx.all<QuarantinedUpload>(
    "SELECT * FROM quarantined_upload WHERE tenant_id = ? ORDER BY created_at DESC LIMIT ?",
    tenantId,
    limit,
  );

/** An operator gives one up; its bytes go with the note of it. @throws Failure `not_found`, `artifact_held` */
export const discardQuarantined: Operation<
  { tenantId: string; id: string; actor: string; now: number },
  QuarantinedUpload
> = (tx, { tenantId, id, actor, now }) => {
  const row = tx.get<QuarantinedUpload>(
    "SELECT * FROM quarantined_upload WHERE id = ? AND tenant_id = ?",
    id,
    tenantId,
  );
  if (row === undefined) throw fail("not_found", `not found: quarantined upload ${id}`);
  if (isHeldRun(tx, row))
    throw fail("artifact_held", "its run is under a legal hold", { hint: "lightflow artifact holds" });
  drop(tx, row, now);
  appendAudit(tx, {
    tenantId,
    now,
    actor,
    action: "artifact.discarded",
    object: `lease:${row.lease_id}`,
    body: { upload: id, announced: row.announced },
  });
  return row;
};

/** Those whose time is over. @returns what was given up */
export const expireQuarantined: Operation<{ now: number; limit: number }, QuarantinedUpload[]> = (
  tx,
  { now, limit },
) => {
  const over = tx.all<QuarantinedUpload>(
    `SELECT * FROM quarantined_upload WHERE expires_at <= ? AND NOT EXISTS (SELECT 1 FROM legal_hold
       WHERE target = quarantined_upload.instance_id AND released_at IS NULL) ORDER BY expires_at LIMIT ?`,
    now,
    limit,
  );
  for (const row of over) drop(tx, row, now);
  return over;
};

type Writer = Parameters<typeof expireQuarantined>[0];

const isHeldRun = (tx: Pick<Writer, "get">, { instance_id }: QuarantinedUpload): boolean =>
  tx.get("SELECT 1 FROM legal_hold WHERE target = ? AND released_at IS NULL", instance_id) !== undefined;

function drop(tx: Writer, { id }: QuarantinedUpload, now: number): void {
  tx.run("DELETE FROM quarantined_upload WHERE id = ?", id);
  tx.run(
    "INSERT INTO removal (kind, target, named_at) VALUES ('quarantine', ?, ?) ON CONFLICT DO NOTHING",
    id,
    now,
  );
}

/** Whether bytes in the quarantine have a row: those without are of a process that died before it could note them. */
export const isNotedQuarantine: Query<{ id: string }, boolean> = (tx, { id }) =>
  tx.get("SELECT 1 FROM quarantined_upload WHERE id = ?", id) !== undefined;

/** How many of a tenant's would go now. */
export const countExpiredQuarantine: Query<{ tenantId: string; now: number }, number> = (
  tx,
  { tenantId, now },
) =>
  tx.get<{ n: number }>(
    `SELECT count(*) AS n FROM quarantined_upload WHERE tenant_id = ? AND expires_at <= ? AND NOT EXISTS (SELECT 1
       FROM legal_hold WHERE target = quarantined_upload.instance_id AND released_at IS NULL)`,
    tenantId,
    now,
  )!.n;
