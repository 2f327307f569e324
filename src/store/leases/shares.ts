import type { Query } from "../operation.ts";

/** The weights of tenants that were published with one (`lightflow tenant publish`); every other counts 1. */
export const readShares: Query<null, ReadonlyMap<string, number>> = (tx) =>
  new Map(
    tx
      .all<{ tenant_id: string; weight: number }>("SELECT tenant_id, weight FROM tenant_share")
      .map((row) => [row.tenant_id, row.weight]),
  );
