import type { Query } from "./operation.ts";

export interface StoreCounts {
  runs: { status: string; count: number }[];
  waiting: number;
  leases: { state: string; count: number }[];
  sessions: { state: string; count: number }[];
  operator_tasks: number;
  open_calls: number;
}

/** What the store holds, over all tenants. Reads whole tables: for a scraper, not for a request. */
export const countStore: Query<null, StoreCounts> = (tx) => {
  const one = (sql: string) => tx.get<{ count: number }>(sql)!.count;
  return {
    runs: tx.all("SELECT status, count(*) AS count FROM instance GROUP BY status"),
    waiting: one("SELECT count(*) AS count FROM request WHERE state = 'pending'"),
    leases: tx.all(
      "SELECT state, count(*) AS count FROM lease WHERE state IN ('leased', 'started') GROUP BY state",
    ),
    sessions: tx.all(
      "SELECT state, count(*) AS count FROM runner_session WHERE state <> 'closed' GROUP BY state",
    ),
    operator_tasks: one("SELECT count(*) AS count FROM operator_task WHERE state = 'open'"),
    open_calls: one("SELECT count(*) AS count FROM native_call WHERE state IN ('pending', 'claimed')"),
  };
};
