import type { JsonObject } from "../../base/json.ts";
import type { Query } from "../operation.ts";

/** The policy snapshot that an instance was started with. */
export const readPolicy: Query<string, JsonObject | null> = (tx, digest) => {
  const row = tx.get<{ body: string }>("SELECT body FROM policy_snapshot WHERE digest = ?", digest);
  return row === undefined ? null : (JSON.parse(row.body) as JsonObject);
};
