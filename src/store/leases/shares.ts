import { appendAudit } from "../audit/append.ts";
import type { Operation, Query } from "../operation.ts";

/** The weights of tenants that have one of their own; every other counts 1. */
export const readShares: Query<null, ReadonlyMap<string, number>> = (tx) =>
  new Map(
    tx
      .all<{ tenant_id: string; weight: number }>("SELECT tenant_id, weight FROM tenant_share")
      .map((row) => [row.tenant_id, row.weight]),
  );

/** Give a tenant a weight beside the others. */
export const setShare: Operation<{ tenantId: string; weight: number; actor: string; now: number }, void> = (
  tx,
  input,
) => {
  tx.run(
    "INSERT INTO tenant_share (tenant_id, weight) VALUES (?, ?) ON CONFLICT (tenant_id) DO UPDATE SET weight = excluded.weight",
    input.tenantId,
    input.weight,
  );
  appendAudit(tx, {
    tenantId: input.tenantId,
    now: input.now,
    actor: input.actor,
    action: "queue.share",
    object: `tenant:${input.tenantId}`,
    body: { weight: input.weight },
  });
};
