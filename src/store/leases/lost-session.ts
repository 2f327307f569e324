import { appendAudit } from "../audit/append.ts";
import { advanceInstance } from "../instances/advance.ts";
import type { EnginePort, StoredInput } from "../instances/engine-port.ts";
import type { Operation, Query } from "../operation.ts";
import { releaseKey } from "./concurrency.ts";

interface Bound {
  id: number;
  tenant_id: string;
  runner_id: string;
}

const BOUND = `SELECT id, tenant_id, runner_id FROM requirement WHERE runner_id IS NOT NULL
  AND EXISTS (SELECT 1 FROM request WHERE request.requirement = requirement.id AND request.state = 'pending')`;

/** Whether the runner has gone: no session of it has been heard of since `silentSince`. */
const GONE = `SELECT 1 FROM runner_session WHERE tenant_id = ? AND runner_id = ? AND state <> 'closed' AND last_seen_at >= ?`;

/** Queue partitions whose tasks only one runner may have, and that runner is gone. */
export const lostPartitions: Query<{ silentSince: number }, Bound[]> = (tx, { silentSince }) =>
  tx
    .all<Bound>(BOUND)
    .filter((each) => tx.get(GONE, each.tenant_id, each.runner_id, silentSince) === undefined);

/**
 * The steps of sessions whose runner is lost fail: their workspace is on it. A run that handles the error and goes on
 * gets a new workspace wherever its next step runs.
 * @returns how many steps failed
 */
export const failLostSessions: Operation<
  {
    engine: EnginePort;
    now: number;
    silentSince: number;
    limit: number;
    toInput(effect: string, runnerId: string): StoredInput;
  },
  number
> = (tx, input) => {
  let count = 0;
  for (const partition of lostPartitions(tx, input)) {
    const waiting = tx.all<{
      id: string;
      tenant_id: string;
      instance_id: string;
      effect_id: string;
      policy_digest: string;
      concurrency_key: string | null;
    }>(
      `SELECT id, tenant_id, instance_id, effect_id, policy_digest, concurrency_key FROM request
       WHERE requirement = ? AND state = 'pending' LIMIT ?`,
      partition.id,
      input.limit - count,
    );
    for (const request of waiting) {
      tx.run(
        "UPDATE request SET state = 'cancelled', diagnostic = ? WHERE id = ?",
        `execution_session_lost: runner ${partition.runner_id} is gone`,
        request.id,
      );
      releaseKey(tx, request);
      tx.run(
        "DELETE FROM workspace WHERE instance_id = ? AND runner_id = ?",
        request.instance_id,
        partition.runner_id,
      );
      appendAudit(tx, {
        tenantId: partition.tenant_id,
        now: input.now,
        actor: "controller",
        action: "session.lost",
        object: `request:${request.id}`,
        body: {
          runnerId: partition.runner_id,
          instanceId: request.instance_id,
          policyDigest: request.policy_digest,
        },
      });
      const failed = input.toInput(request.effect_id, partition.runner_id);
      advanceInstance(tx, input.engine, request.instance_id, failed, input.now);
      count++;
    }
  }
  return count;
};
