import type { JsonObject } from "../../base/json.ts";
import type { Transaction } from "../operation.ts";
import type { InstanceRow } from "./engine-port.ts";
import { putEvent } from "./inbox.ts";

/** The range of the index that holds the types of lifecycle events, `io.serverlessworkflow.task.…` and `.workflow.…`. */
const FIRST = "io.serverlessworkflow.task.";
const LAST = "io.serverlessworkflow.workflow/";

export const isLifecycle = (type: string): boolean =>
  /^io\.serverlessworkflow\.(?:task|workflow)\./.test(type);

const nobodyListens = (tenantId: string): string => `no lifecycle listener of ${tenantId}`;

/** A task listens for events of a type from now on. */
export function listensFor(tx: Transaction, tenantId: string, type: string): void {
  if (isLifecycle(type)) tx.remember(nobodyListens(tenantId), false);
}

/**
 * Put what happened where others listen, when any do: one look at the subscriptions is all that it costs otherwise. Who
 * listens for every type, or by a pattern, hears none of them.
 */
export function publishLifecycle(
  tx: Transaction,
  row: InstanceRow,
  key: string,
  events: (key: string, wanted: (type: string) => boolean) => JsonObject[],
  now: number,
): void {
  const nobody = nobodyListens(row.tenant_id);
  if (tx.recall(nobody) === true) return;
  const someone = tx.get(
    "SELECT 1 FROM subscription WHERE tenant_id = ? AND type >= ? AND type < ? LIMIT 1",
    row.tenant_id,
    FIRST,
    LAST,
  );
  if (someone === undefined) {
    tx.remember(nobody, true);
    return;
  }
  const known = new Map<string, boolean>();
  const wanted = (type: string): boolean => {
    let heard = known.get(type);
    if (heard === undefined) {
      heard =
        tx.get("SELECT 1 FROM subscription WHERE tenant_id = ? AND type = ? LIMIT 1", row.tenant_id, type) !==
        undefined;
      known.set(type, heard);
    }
    return heard;
  };
  for (const event of events(key, wanted)) putEvent(tx, row.tenant_id, event, null, now);
}
