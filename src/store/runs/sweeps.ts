import type { InstanceRow } from "../instances/engine-port.ts";
import type { Query } from "../operation.ts";

/** The runs of a sweep: those whose id stands below its own. */
export const listSweepRuns: Query<{ tenantId: string; sweepId: string }, InstanceRow[]> = (tx, input) =>
  tx.all<InstanceRow>(
    "SELECT * FROM instance WHERE tenant_id = ? AND run_id > ? AND run_id < ? AND options IS NOT NULL ORDER BY run_id",
    input.tenantId,
    `${input.sweepId}.`,
    `${input.sweepId}/`,
  );
