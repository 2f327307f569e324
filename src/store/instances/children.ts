import { type ErrorCode, Failure } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { Json } from "../../base/json.ts";
import { optionsOf } from "../cache/consult.ts";
import type { Transaction } from "../operation.ts";
import { advanceInstance, readInstance } from "./advance.ts";
import type { EnginePort, InstanceRow, StoredInput, WorkflowEffect } from "./engine-port.ts";
import { findPublication } from "./publications.ts";
import { startInstance } from "./start.ts";

const POLICY_REFUSALS: readonly ErrorCode[] = ["execution_policy_denied", "template_denied", "secret_denied"];

/**
 * Start the workflow that a task runs, in the same transaction. @returns what the task hears at once: that there is no such
 * workflow, or how it ended if it has ended already; null while it goes on or nobody waits for it
 */
export function startChild(
  tx: Transaction,
  engine: EnginePort,
  row: InstanceRow,
  effect: WorkflowEffect,
  now: number,
): StoredInput | null {
  const found = findPublication(tx, row.tenant_id, effect);
  if (found === undefined) {
    return effect.await ? engine.noWorkflow(effect) : null;
  }
  const { document } = tx.get<{ document: string }>(
    "SELECT document FROM definition WHERE digest = ?",
    found.digest,
  )!;
  const instanceId = newId();
  const runId = `${row.run_id}.${effect.id}`;
  try {
    startInstance(tx, {
      engine,
      instanceId,
      tenantId: row.tenant_id,
      runId,
      requestDigest: found.digest,
      idempotent: false,
      sourceEventId: null,
      workflow: found.name,
      definition: { ...found, assetId: null, document: () => document },
      ...engine.child(
        row.tenant_id,
        document,
        found.digest,
        instanceId,
        runId,
        effect.depth,
        now,
        effect.private === true,
      ),
      input: effect.input,
      options: optionsOf(row).by === undefined ? undefined : { by: optionsOf(row).by! },
      now,
    });
  } catch (error) {
    // Policy, or a secret that is not set, refuses a start before anything of the instance is written.
    if (!(error instanceof Failure) || !POLICY_REFUSALS.includes(error.code)) throw error;
    return effect.await ? engine.revoked(effect.id, error.message) : null;
  }
  const child = readInstance(tx, instanceId)!;
  if (!effect.await) return null;
  if (child.finished_at !== null) return ended(effect.id, child);
  tx.run(
    "INSERT INTO child (child_id, parent_id, effect_id) VALUES (?, ?, ?)",
    instanceId,
    row.id,
    effect.id,
  );
  return null;
}

/** An instance has ended: whoever waits for it goes on. */
export function tellParent(tx: Transaction, engine: EnginePort, row: InstanceRow, now: number): void {
  const link = tx.get<{ parent_id: string; effect_id: string }>(
    "SELECT parent_id, effect_id FROM child WHERE child_id = ?",
    row.id,
  );
  if (link === undefined) return;
  tx.run("DELETE FROM child WHERE child_id = ?", row.id);
  advanceInstance(tx, engine, link.parent_id, ended(link.effect_id, row), now);
}

/** @returns whether the effect was a workflow that still ran */
export function cancelChild(
  tx: Transaction,
  engine: EnginePort,
  row: InstanceRow,
  effectId: string,
  now: number,
): boolean {
  const link = tx.get<{ child_id: string }>(
    "SELECT child_id FROM child WHERE parent_id = ? AND effect_id = ?",
    row.id,
    effectId,
  );
  if (link === undefined) return false;
  tx.run("DELETE FROM child WHERE child_id = ?", link.child_id);
  const reason = "the task that ran it was cancelled";
  advanceInstance(tx, engine, link.child_id, { kind: "cancel", reason } as never, now);
  return true;
}

function ended(effect: string, child: InstanceRow): StoredInput {
  const { output, error } = JSON.parse(child.snapshot) as { output: Json; error?: Json };
  if (child.status === "completed") return { kind: "effect_succeeded", effect, output } as StoredInput;
  const cancelled = {
    type: "https://serverlessworkflow.io/spec/1.0.0/errors/runtime",
    status: 500,
    title: "Cancelled",
    detail: `the workflow ${child.run_id} was cancelled`,
  };
  return { kind: "effect_failed", effect, error: withoutPlace(error ?? cancelled) } as unknown as StoredInput;
}

/** The pointer is one of the child's document; in the parent's the task's own stands in its place. */
function withoutPlace(error: Json): Json {
  const { instance: _, ...rest } = error as Record<string, Json>;
  return rest;
}
