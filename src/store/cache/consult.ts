import type { Json, JsonObject } from "../../base/json.ts";
import { findReference } from "../artifacts/references.ts";
import type {
  CallEffect,
  EnginePort,
  InstanceRow,
  QueuedRequest,
  RunEffect,
  StoredInput,
} from "../instances/engine-port.ts";
import type { EventRow } from "../instances/events.ts";
import type { Transaction } from "../operation.ts";

/** What a step's output depends on, each part by its digest, and the digest of all. */
export interface StepKey {
  readonly key: string;
  readonly components: Readonly<Record<string, string>>;
}

/** How a run was asked for. */
export interface RunOptions {
  /** `off`: no step is looked up; what it gives replaces what is kept. */
  cache?: "off";
  /** Whether outputs of another run stand in `reuse`. */
  reuses?: boolean;
  /** The run that this one repeats, and how. */
  origin?: { run_id: string; how: "retry" | "rerun" | "replay" };
  /** Who asked for it; runs that start by themselves name nobody. */
  by?: string;
  /** The preset that filled in inputs. */
  preset?: string;
  /** The sweep that the run is part of, and what it varied. */
  sweep?: { id: string; parameters: Record<string, string> };
}

export const optionsOf = (row: InstanceRow): RunOptions =>
  row.options === undefined || row.options === null ? {} : (JSON.parse(row.options) as RunOptions);

/** A step that need not run: its output as the engine's input, and the line of the history that says so. */
export interface Known {
  readonly input: StoredInput;
  readonly lines: readonly EventRow[];
}

/** What the run that is tried again gave for the step, or null: what was done there is not done twice. */
export function takenOver(
  tx: Transaction,
  row: InstanceRow,
  effect: RunEffect | CallEffect,
  now: number,
): Known | null {
  if (optionsOf(row).reuses !== true) return null;
  const found = tx.get<{ output: string; record: number; origin_run: string }>(
    "SELECT output, record, origin_run FROM reuse WHERE instance_id = ? AND reference = ?",
    row.id,
    effect.reference,
  );
  if (found === undefined) return null;
  const key = { key: "", components: {} };
  return known(tx, row, effect, key, "reused", found.origin_run, found, now, (sha256) =>
    endOfReference(tx, row, sha256),
  );
}

/**
 * Whether an effect's output is known already: taken over from the run that is tried again, or kept in the cache. All in
 * the transaction that asks for the effect, so that a crash leaves both or neither.
 */
export function consult(
  tx: Transaction,
  engine: EnginePort,
  row: InstanceRow,
  effect: RunEffect | CallEffect,
  request: QueuedRequest | null,
  now: number,
): Known | null {
  const taken = takenOver(tx, row, effect, now);
  if (taken !== null) return taken;
  const options = optionsOf(row);
  if (engine.stepKey === undefined) return null;
  const definition = { digest: row.definition_digest, document: () => documentOf(tx, row) };
  if (!engine.caches(definition)) return null;
  const key = engine.stepKey(definition, effect, request);
  if (key === null) return null;
  if (options.cache === "off") {
    remember(tx, row, effect, key, { state: "miss", reason: "the run was started with --no-cache" }, now);
    return null;
  }
  const entry = tx.get<{ id: number; output: string; record: number; run_id: string }>(
    "SELECT id, output, record, run_id FROM step_cache WHERE tenant_id = ? AND key = ?",
    row.tenant_id,
    key.key,
  );
  if (entry === undefined) {
    remember(tx, row, effect, key, { state: "miss", reason: null }, now);
    return null;
  }
  if (!artifactsOf(entry).every(({ sha256 }) => isThere(tx, engine, row, sha256, now))) {
    remember(tx, row, effect, key, { state: "miss", reason: "an artifact of the kept output is gone" }, now);
    return null;
  }
  tx.run("UPDATE step_cache SET used_at = ? WHERE id = ?", now, entry.id);
  const kept = request?.retention?.artifactMs;
  const expiresAt = kept === undefined ? null : now + kept;
  return known(tx, row, effect, key, "hit", entry.run_id, entry, now, () => expiresAt);
}

/** Bytes that the tenant may still read and that are not about to go. A run that was pruned has no reference left. */
function isThere(
  tx: Transaction,
  engine: EnginePort,
  row: InstanceRow,
  sha256: string,
  now: number,
): boolean {
  if (!engine.hasArtifact(sha256) || isGoing(tx, sha256)) return false;
  const found = findReference(tx, { tenantId: row.tenant_id, sha256, now });
  return found === null || found.expired === null;
}

const isGoing = (tx: Transaction, sha256: string): boolean =>
  tx.get("SELECT 1 FROM removal WHERE kind = 'artifact' AND target = ?", sha256) !== undefined;

function documentOf(tx: Transaction, row: InstanceRow): string {
  return tx.get<{ document: string }>(
    "SELECT document FROM definition WHERE digest = ?",
    row.definition_digest,
  )!.document;
}

function known(
  tx: Transaction,
  row: InstanceRow,
  effect: RunEffect | CallEffect,
  key: StepKey,
  state: "hit" | "reused",
  origin: string,
  kept: { output: string; record: number },
  now: number,
  expiresAt: (sha256: string) => number | null,
): Known {
  const artifacts = artifactsOf(kept);
  remember(tx, row, effect, key, { state, reason: null, origin, artifacts }, now);
  // References of its own: what the other run had may go with it. Bytes that are about to go get none.
  for (const { name, sha256, size, mediaType } of artifacts) {
    if (isGoing(tx, sha256)) continue;
    tx.run(
      `INSERT INTO artifact (instance_id, lease_id, name, sha256, size, media_type, kind, created_at, tenant_id, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, 'reused', ?, ?, ?) ON CONFLICT DO NOTHING`,
      row.id,
      effect.id,
      name,
      sha256,
      size,
      mediaType ?? "application/octet-stream",
      now,
      row.tenant_id,
      expiresAt(sha256),
    );
  }
  const detail: JsonObject = { origin_run: origin, ...(state === "hit" ? { key: key.key } : {}) };
  return {
    input: {
      kind: "effect_succeeded",
      effect: effect.id,
      output: JSON.parse(kept.output),
      ...(kept.record === 1 ? { record: true } : {}),
    } as StoredInput,
    lines: [
      {
        event: state === "hit" ? "step.cached" : "step.reused",
        step_id: effect.step_id,
        reference: effect.reference,
        detail,
      },
    ],
  };
}

/** What is taken over is kept as long as where it comes from. */
function endOfReference(tx: Transaction, row: InstanceRow, sha256: string): number | null {
  const ends = tx
    .all<{ expires_at: number | null }>(
      "SELECT expires_at FROM artifact WHERE sha256 = ? AND tenant_id = ? AND expired_at IS NULL",
      sha256,
      row.tenant_id,
    )
    .map(({ expires_at }) => expires_at ?? Number.POSITIVE_INFINITY);
  const end = Math.max(...ends);
  return Number.isFinite(end) ? end : null;
}

export interface KeptArtifact {
  name: string;
  sha256: string;
  size: number;
  mediaType: string;
}

/**
 * The artifacts that a command's record names, which were looked at when it came. In any other output whoever wrote it may
 * have put what looks so, with digests of bytes that are not his.
 */
function artifactsOf({ output, record }: { output: string; record: number }): KeptArtifact[] {
  if (record !== 1 || !output.includes('"artifacts":[{')) return [];
  const { artifacts } = JSON.parse(output) as { artifacts?: Json };
  if (!Array.isArray(artifacts)) return [];
  return (artifacts as unknown as Partial<KeptArtifact>[]).filter(
    (each): each is KeptArtifact => typeof each?.sha256 === "string" && typeof each.name === "string",
  );
}

function remember(
  tx: Transaction,
  row: InstanceRow,
  effect: RunEffect | CallEffect,
  { key, components }: StepKey,
  use: {
    state: "hit" | "miss" | "reused";
    reason: string | null;
    origin?: string;
    artifacts?: readonly KeptArtifact[];
  },
  now: number,
): void {
  const text = JSON.stringify(components);
  if (use.state === "miss") {
    const { reference } = effect;
    tx.remember(useKey(row.id, effect.id), { reference, key, components: text, state: use.state });
  }
  tx.run(
    `INSERT INTO step_use (instance_id, effect_id, step_id, reference, state, reason, key, components, origin_run, artifacts, at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.id,
    effect.id,
    effect.step_id,
    effect.reference,
    use.state,
    use.reason,
    key,
    text,
    use.origin ?? null,
    JSON.stringify(use.artifacts ?? []),
    now,
  );
}

/** What of a look-up is asked for when the output has come. */
type Use = { reference: string; key: string; components: string; state: string };

const useKey = (instanceId: string, effectId: string) => `use ${instanceId} ${effectId}`;

/** What one output may take in the store; larger ones are made again. */
const OUTPUT_CHARACTERS = 256 * 1024;

/** Keep the output of a step that was looked up and missed. */
export function keepOutput(
  tx: Transaction,
  engine: EnginePort,
  row: InstanceRow,
  input: StoredInput,
  now: number,
): void {
  if (engine.stepKey === undefined) return;
  if (!engine.caches({ digest: row.definition_digest, document: () => documentOf(tx, row) })) return;
  const { effect, output, record } = input as StoredInput & { effect: string; output: Json; record?: true };
  const use =
    tx.recall<Use>(useKey(row.id, effect)) ??
    tx.get<Use>(
      "SELECT reference, key, components, state FROM step_use WHERE instance_id = ? AND effect_id = ?",
      row.id,
      effect,
    );
  if (use?.state !== "miss") return;
  const text = JSON.stringify(output ?? null);
  if (text.length > OUTPUT_CHARACTERS) return;
  tx.run(
    `INSERT OR REPLACE INTO step_cache (tenant_id, key, workflow, reference, components, output, record, run_id, created_at, used_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.tenant_id,
    use.key,
    row.workflow,
    use.reference,
    use.components,
    text,
    record === true ? 1 : 0,
    row.run_id,
    now,
    now,
  );
}
