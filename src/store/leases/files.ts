import { fail } from "../../base/errors.ts";
import { findReference } from "../artifacts/references.ts";
import type { Query } from "../operation.ts";
import { findLease, type LeaseCaller, whyEnded } from "./live.ts";

/**
 * Whether a lease may read an artifact: it stands, its task names the artifact, and the artifact is its tenant's.
 * @throws Failure `artifact_not_found` for any other, whether or not it exists; `artifact_expired`
 */
export const mayReadFile: Query<LeaseCaller & { sha256: string }, { tenantId: string }> = (tx, caller) => {
  const lease = findLease(tx, caller);
  const ended = whyEnded(lease, caller.now);
  if (ended !== null) throw ended;
  const request = tx.get<{ payload: string }>("SELECT payload FROM request WHERE id = ?", lease.request_id)!;
  const { files } = JSON.parse(request.payload) as { files?: string[] };
  const found = findReference(tx, { tenantId: lease.tenant_id, sha256: caller.sha256, now: caller.now });
  // An approval holds what it is about, also when the run that made it is pruned.
  const held =
    lease.approval !== null &&
    tx.get(
      "SELECT 1 FROM approval_artifact WHERE sha256 = ? AND approval_id = ?",
      caller.sha256,
      lease.approval,
    ) !== undefined;
  if (!files?.includes(caller.sha256) || (found === null && !held)) {
    throw fail("artifact_not_found", `no artifact ${caller.sha256} for this task`);
  }
  if (!held && found?.expired != null)
    throw fail("artifact_expired", `the artifact ${caller.sha256} is kept no longer`);
  return { tenantId: lease.tenant_id };
};
