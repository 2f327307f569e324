import { fail } from "../../base/errors.ts";
import type { Json } from "../../base/json.ts";
import type { RunOptions } from "../cache/consult.ts";
import type { Operation, Transaction } from "../operation.ts";
import { keepPolicy } from "../policy/snapshots.ts";
import { advanceRow } from "./advance.ts";
import type { EnginePort, InstanceRow, StoredInput, StoredSnapshot } from "./engine-port.ts";
import { beginEvents, type EventRow } from "./events.ts";
import type { Reused } from "./start-run.ts";

export interface StartInput {
  engine: EnginePort;
  instanceId: string;
  tenantId: string;
  runId: string;
  /** Digest of the whole request: a repeat with the same one is answered with the first instance. */
  requestDigest: string;
  idempotent: boolean;
  sourceEventId: string | null;
  workflow: string;
  definition: {
    digest: string;
    namespace: string;
    name: string;
    version: string;
    assetId: string | null;
    document(): string;
  };
  policy: { digest: string; body: string };
  /** The state before its first input, made anew each time: whoever advances it uses it up. */
  snapshot(): StoredSnapshot;
  input: Json;
  /** {@link RunOptions}; absent for a plain start. */
  options?: RunOptions | undefined;
  /** Outputs that the run takes over, by the reference of their step. */
  reuse?: readonly Reused[] | undefined;
  now: number;
}

export interface Started {
  instanceId: string;
  runId: string;
  created: boolean;
}

/**
 * Create an instance and let it run to its first effects, in one transaction.
 * @throws Failure `conflict` when the run id is taken, `idempotency_conflict` when it came with another request
 */
export const startInstance: Operation<StartInput, Started> = (tx, start) => {
  const same =
    start.sourceEventId === null
      ? undefined
      : tx.get<{ id: string; run_id: string }>(
          "SELECT id, run_id FROM instance WHERE tenant_id = ? AND source_event_id = ? AND definition_digest = ?",
          start.tenantId,
          start.sourceEventId,
          start.definition.digest,
        );
  if (same !== undefined) return { instanceId: same.id, runId: same.run_id, created: false };
  const taken = tx.get<{ id: string; request_digest: string }>(
    "SELECT id, request_digest FROM instance WHERE tenant_id = ? AND run_id = ?",
    start.tenantId,
    start.runId,
  );
  if (taken !== undefined) {
    if (start.idempotent && taken.request_digest === start.requestDigest) {
      return { instanceId: taken.id, runId: start.runId, created: false };
    }
    throw start.idempotent
      ? fail("idempotency_conflict", `run ${start.runId} was started with another request`)
      : fail("conflict", `run ${start.runId} already exists`, { hint: "leave --id out, or choose another" });
  }
  const { definition, policy } = start;
  keepDefinition(tx, definition, start.now);
  keepPolicy(tx, policy, start.now);
  const row: InstanceRow = {
    id: start.instanceId,
    tenant_id: start.tenantId,
    run_id: start.runId,
    definition_digest: definition.digest,
    policy_digest: policy.digest,
    workflow: start.workflow,
    status: "pending",
    version: 0,
    input_seq: 0,
    snapshot: "",
    created_at: start.now,
    updated_at: start.now,
    finished_at: null,
    options: start.options === undefined ? null : JSON.stringify(start.options),
  };
  beginEvents(tx, row.id);
  const created: EventRow = {
    event: "run.created",
    step_id: null,
    reference: null,
    detail: { workflow: start.workflow, definition_digest: definition.digest, policy_digest: policy.digest },
  };
  const input = { kind: "start", input: start.input } as StoredInput;
  advanceRow(tx, start.engine, row, input, start.now, [created], {
    snapshot: () => start.snapshot(),
    insert: (made) => insertInstance(tx, start, made),
  });
  return { instanceId: start.instanceId, runId: start.runId, created: true };
};

function insertInstance(tx: Transaction, start: StartInput, row: InstanceRow): void {
  tx.run(
    `INSERT INTO /* kept */ instance (id, tenant_id, run_id, definition_digest, policy_digest, source_event_id, request_digest, workflow,
       status, version, input_seq, snapshot, created_at, updated_at, finished_at, options)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.id,
    row.tenant_id,
    row.run_id,
    row.definition_digest,
    row.policy_digest,
    start.sourceEventId,
    start.requestDigest,
    row.workflow,
    row.status,
    row.version,
    row.input_seq,
    row.snapshot,
    row.created_at,
    row.updated_at,
    row.finished_at,
    row.options ?? null,
  );
  for (const { reference, output, record } of start.reuse ?? []) {
    tx.run(
      "INSERT INTO reuse (instance_id, reference, output, record, origin_run) VALUES (?, ?, ?, ?, ?)",
      row.id,
      reference,
      JSON.stringify(output),
      record === true ? 1 : 0,
      start.options?.origin?.run_id ?? "",
    );
  }
}

/** Most starts are of a definition that is known: asking is cheaper than handing the whole text over. */
export function keepDefinition(tx: Transaction, definition: StartInput["definition"], now: number): void {
  const key = `definition ${definition.digest}`;
  if (tx.recall(key) === true) return;
  tx.remember(key, true);
  if (tx.get("SELECT 1 FROM definition WHERE digest = ?", definition.digest) !== undefined) return;
  tx.run(
    "INSERT INTO definition (digest, namespace, name, version, asset_id, document, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    definition.digest,
    definition.namespace,
    definition.name,
    definition.version,
    definition.assetId,
    definition.document(),
    now,
  );
}
