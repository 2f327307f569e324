import type { Artifacts } from "../artifacts/index.ts";
import { digestOf } from "../base/canonical.ts";
import { Failure, fail } from "../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { type Effect, type EngineInput, taskError } from "../engine/index.ts";
import {
  type ApprovalRule,
  callApproval,
  type EffectivePolicy,
  foldedOf,
  requestLayer,
  type SnapshotWithDigest,
} from "../policy/index.ts";
import type { TaskPayload } from "../protocol/index.ts";
import type { ApprovalBinding, ApprovalGate, InstanceRow, StoredInput } from "../store/index.ts";

export interface ApprovalDecision {
  tenantId: string;
  approvalId: string;
  decision: "approve" | "reject";
  actor: string;
  roles: readonly string[];
  note: string;
}

/** What a fixed action changes, from its own parameters: `/srv/registry/name/1.0.0`, `https://api.github.com/owner/name/branch`. */
function actionTarget(action: Json | undefined): string | null {
  const given = isObject(action) ? action["with"] : undefined;
  if (!isObject(given)) return null;
  const { registry, api, repository, name, project, version, tag, branch } = given as JsonObject;
  const parts = [registry ?? api ?? repository, name ?? project, version ?? tag ?? branch].filter(
    (part) => typeof part === "string",
  );
  return parts.length === 0 ? null : parts.join("/");
}

type Asked = Pick<ApprovalBinding, "target" | "provenance">;

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** `metadata.lightWorkflow.approval` with its expressions evaluated. */
function askedOf(light: JsonObject): Asked {
  const { target, provenance } = isObject(light["approval"]) ? (light["approval"] as JsonObject) : {};
  if (provenance !== undefined && !DIGEST.test(String(provenance))) {
    throw fail("execution_policy_denied", "the provenance of an approval is not sha256: and 64 hex digits", {
      details: { field: "approval.provenance" },
    });
  }
  return {
    target: target === undefined ? actionTarget(light["action"]) : String(target),
    provenance: provenance === undefined ? null : String(provenance),
  };
}

const gateOf = (rule: ApprovalRule, binding: ApprovalBinding): ApprovalGate => ({
  binding,
  ttlMs: rule.ttlMs,
  separation: rule.separation,
  approvers: rule.approvers,
});

/** What a person has to agree to before a runner's task is queued, or null. */
export function runGate(
  light: JsonObject,
  payload: TaskPayload,
  row: InstanceRow,
  { approval, actions }: EffectivePolicy,
): ApprovalGate | null {
  if (!approval.required) return null;
  const template =
    payload.commandTemplateId === undefined
      ? null
      : { id: payload.commandTemplateId, digest: payload.commandTemplateDigest! };
  return gateOf(approval, {
    operations: actions.length === 0 ? ["run"] : actions,
    ...askedOf(light),
    artifacts: (payload.files ?? []).map((sha256) => `sha256:${sha256}`),
    policyDigest: row.policy_digest,
    executionProfile: `${payload.executionProfile}@${payload.executionProfileVersion}`,
    definitionDigest: row.definition_digest,
    template,
    argumentDigest: digestOf({ task: payload.task, mounts: payload.mounts, network: payload.network }),
  });
}

/** What a person has to agree to before a call is made, null for nothing, or why policy refuses it. */
export function callGate(
  { id, reference, request }: Extract<Effect, { kind: "call" }>,
  row: InstanceRow,
  policy: () => SnapshotWithDigest,
): ApprovalGate | null | { denied: StoredInput } {
  const light = request.light;
  if (light === undefined) return null;
  try {
    const snapshot = policy();
    const rule = callApproval(foldedOf(snapshot), { layer: requestLayer(light), reference });
    if (!rule.required) return null;
    const profile = snapshot.body.layers[0]!;
    return gateOf(rule, {
      operations: rule.actions.length === 0 ? ["call"] : rule.actions,
      ...askedOf(light),
      artifacts: [],
      policyDigest: row.policy_digest,
      executionProfile: `${profile.id}@${profile.version}`,
      definitionDigest: row.definition_digest,
      template: null,
      argumentDigest: digestOf({ call: request.call, with: request.with, secrets: request.secrets }),
    });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const refused = taskError("authorization", error.message, { code: error.code }, "Refused by policy");
    const denied: EngineInput = { kind: "effect_failed", effect: id, error: refused };
    return { denied: denied as unknown as StoredInput };
  }
}

/** Which artifacts are gone, or are no longer what their digests say. */
export async function spoiltOf(digests: readonly string[], artifacts: Artifacts): Promise<string[]> {
  const spoilt: string[] = [];
  for (const digest of digests) {
    const sha256 = digest.slice("sha256:".length);
    if (artifacts.stat(sha256) === null || (await hashOf(artifacts, sha256)) !== sha256) spoilt.push(digest);
  }
  return spoilt;
}

async function hashOf(artifacts: Artifacts, sha256: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const chunk of artifacts.open(sha256).stream()) hasher.update(chunk);
  return hasher.digest("hex");
}
