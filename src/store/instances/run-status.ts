import type { Query } from "../operation.ts";

/** The status of an instance without its snapshot. Undefined where there is none. */
export const readInstanceStatus: Query<string, string | undefined> = (tx, instanceId) =>
  tx.get<{ status: string }>("SELECT status FROM instance WHERE id = ?", instanceId)?.status;
