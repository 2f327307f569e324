import { digestOf } from "../base/canonical.ts";
import { fail } from "../base/errors.ts";
import { isObject, type JsonObject } from "../base/json.ts";
import type { PolicyLayer } from "../protocol/policy.ts";
import type { CommandTemplate } from "../protocol/template/schema.ts";
import { type WorkflowDocument, walkTasks } from "../workflow/index.ts";
import { type Folded, type NamedLayer, NOTHING_FOLDED, narrow } from "./fold.ts";
import { callTarget, placeTask } from "./placement.ts";
import type { ExecutionProfile } from "./profile.ts";
import { askedProfile, requestLayer, taskRequestLayer } from "./request.ts";
import { resolveTask } from "./resolve.ts";

export interface PinnedTemplate {
  readonly version: number;
  readonly digest: string;
  readonly template: CommandTemplate;
}

export interface PinnedPool {
  readonly version: number;
  /** Who may use it; everybody when nothing is said. */
  readonly tenants?: readonly string[];
}

/** What operators have published, as one tenant sees it. `revoked`: it was there, and must not be used any more. */
export interface PolicyRegistry {
  readonly tenantId: string;
  readonly service: { readonly version: number; readonly policy: PolicyLayer } | null;
  readonly tenant: { readonly version: number; readonly policy: PolicyLayer } | null;
  /** For workflows that name none. */
  readonly defaultProfile: string;
  profile(id: string): ExecutionProfile | "revoked" | null;
  template(id: string): PinnedTemplate | "revoked" | null;
  pool(id: string): PinnedPool | "revoked" | null;
}

/** A file of the project's own policies. */
export interface WorkspacePolicy {
  readonly name: string;
  readonly policy: PolicyLayer;
}

/** The policy of one instance, fixed at its start and kept by digest: every layer in the version that held then. */
export interface PolicySnapshot {
  readonly version: 2;
  /** From the profile inwards; the tasks' own layers stand in the definition. */
  readonly layers: readonly NamedLayer[];
  readonly templates: Readonly<Record<string, PinnedTemplate>>;
  readonly pools: Readonly<Record<string, PinnedPool>>;
}

export interface SnapshotWithDigest {
  readonly digest: string;
  readonly body: PolicySnapshot;
}

/** A task that policy has a say in. */
export interface PolicyTask {
  readonly pointer: string;
  readonly name: string;
  /** `run.shell`, `call.http`, `do`. */
  readonly type: string;
  readonly layer: PolicyLayer;
  readonly task: JsonObject;
}

export function lightOf(holder: unknown): JsonObject {
  const metadata = isObject(holder) ? holder["metadata"] : undefined;
  const light = isObject(metadata) ? metadata["lightWorkflow"] : undefined;
  return isObject(light) ? (light as JsonObject) : {};
}

/** `run.shell` of a task that runs a command; what it calls of one that calls. */
export function taskType(task: JsonObject): string {
  const run = task["run"];
  if (isObject(run)) {
    const kind = ["shell", "script", "container", "workflow"].find((each) => each in run);
    return `run.${kind ?? "unknown"}`;
  }
  if (typeof task["call"] === "string") return `call.${task["call"]}`;
  const [kind] = [
    "do",
    "for",
    "fork",
    "try",
    "switch",
    "set",
    "ask",
    "assert",
    "graph",
    "emit",
    "listen",
    "wait",
    "raise",
  ].filter((each) => each in task);
  return kind ?? "unknown";
}

export function* policyTasks(document: JsonObject): Generator<PolicyTask> {
  for (const site of walkTasks(document as unknown as WorkflowDocument)) {
    const task = site.task as unknown as JsonObject;
    yield {
      pointer: site.pointer,
      name: site.name,
      type: taskType(task),
      layer: taskRequestLayer(task, lightOf(task)),
      task,
    };
  }
}

export const workflowLayer = (document: JsonObject): PolicyLayer =>
  requestLayer(lightOf(document["document"]));

/** The layers of an instance, from the profile inwards. @throws Failure `execution_policy_denied` */
export function instanceLayers(
  registry: PolicyRegistry,
  document: JsonObject,
  workspace: readonly WorkspacePolicy[],
): NamedLayer[] {
  const workflow = workflowLayer(document);
  const profileId = askedProfile(workflow) ?? registry.defaultProfile;
  const profile = published(registry.profile(profileId), "profile", profileId);
  const named = document["document"] as { namespace: string; name: string };
  return [
    { kind: "profile", id: profile.id, version: profile.version, policy: profile.policy },
    ...(registry.service === null ? [] : [{ kind: "service" as const, id: "service", ...registry.service }]),
    ...(registry.tenant === null
      ? []
      : [{ kind: "tenant" as const, id: registry.tenantId, ...registry.tenant }]),
    ...workspace.map(({ name, policy }) => ({ kind: "workspace" as const, id: name, version: null, policy })),
    ...(Object.keys(workflow).length === 0
      ? []
      : [
          {
            kind: "workflow" as const,
            id: `${named.namespace}/${named.name}`,
            version: null,
            policy: workflow,
          },
        ]),
  ];
}

/** @throws Failure `execution_policy_denied` for what is not there or must not be used any more */
function published<Found>(found: Found | "revoked" | null, what: string, id: string): Found {
  if (found === null) {
    throw fail("execution_policy_denied", `there is no ${what} ${id}`, {
      hint: `an operator publishes one with lightflow ${what} publish`,
      details: { [what]: id },
    });
  }
  if (found === "revoked") {
    throw fail("execution_policy_denied", `the ${what} ${id} is revoked`, { details: { [what]: id } });
  }
  return found as Found;
}

/**
 * The policy snapshot of a new instance. Whatever the workflow or one of its tasks asks for too much is refused here,
 * before anything runs.
 * @throws Failure `execution_policy_denied`, `template_denied` with `details.layer`, `details.field`, `details.task`
 */
export function snapshotPolicy(
  registry: PolicyRegistry,
  document: JsonObject,
  workspace: readonly WorkspacePolicy[] = [],
): SnapshotWithDigest {
  const layers = instanceLayers(registry, document, workspace);
  const folded = foldLayers(layers);
  if (folded.bounds.allow?.executionProfiles?.length === 0) {
    throw fail(
      "execution_policy_denied",
      `the profile ${layers[0]!.id} is not one that the other layers allow`,
      {
        hint: "name another profile, or have an operator allow this one",
        details: {
          field: "allow.executionProfiles",
          decidedBy: folded.decidedBy.get("allow.executionProfiles") ?? [],
        },
      },
    );
  }
  const templates: Record<string, PinnedTemplate> = {};
  const pools: Record<string, PinnedPool> = {};
  const body: PolicySnapshot = { version: 2, layers, templates, pools };
  for (const task of policyTasks(document)) {
    try {
      pinTask(registry, body, folded, task, templates, pools);
    } catch (error) {
      throw atTask(error, task.pointer);
    }
  }
  return { body, digest: digestOf(body) };
}

export function pinTask(
  registry: PolicyRegistry,
  snapshot: PolicySnapshot,
  folded: Folded,
  task: PolicyTask,
  templates: Record<string, PinnedTemplate>,
  pools: Record<string, PinnedPool>,
): void {
  const isRun = task.type.startsWith("run.") && task.type !== "run.workflow";
  const isAgent = task.type === "call.agent";
  if (!isRun && !isAgent && !isRunnerCall(folded, task)) return;
  const own = narrow(folded, taskLayer(task.pointer, task.layer));
  for (const id of own.asked.allow?.commandTemplates ?? []) {
    if (!id.endsWith("*")) templates[id] ??= published(registry.template(id), "template", id);
  }
  // Where an agent runs is decided when it is called.
  if (isAgent) return;
  const { runnerPool } = resolveTask(snapshot, folded, { layer: task.layer, reference: task.pointer });
  if (pools[runnerPool] !== undefined) return;
  const pool = published(registry.pool(runnerPool), "pool", runnerPool);
  if (pool.tenants !== undefined && !pool.tenants.includes(registry.tenantId)) {
    throw fail("execution_policy_denied", `the pool ${runnerPool} is not for tenant ${registry.tenantId}`);
  }
  pools[runnerPool] = pool;
}

/** Whether a runner makes a call. @throws Failure for a protocol that runners do not speak */
function isRunnerCall(folded: Folded, task: PolicyTask): boolean {
  const { bounds } = narrow(folded, taskLayer(task.pointer, task.layer));
  const placed = placeTask(task.type, callTarget(task.task), bounds);
  if (placed.runtime !== "runner") return false;
  if (RUNNER_CALLS.includes(task.type)) return true;
  throw fail("execution_policy_denied", `the call may not go out from here: ${placed.reasons.join("; ")}`, {
    hint: `a runner makes ${RUNNER_CALLS.join(" and ")}; reach it by one of these, or by a command`,
    details: { field: "privateHosts" },
  });
}

const RUNNER_CALLS = ["call.http", "call.mcp"];

export const taskLayer = (reference: string, policy: PolicyLayer): NamedLayer => ({
  kind: "task",
  id: reference,
  version: null,
  policy,
});

function atTask(error: unknown, pointer: string): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  const failure = error as ReturnType<typeof fail>;
  return fail(failure.code, `${pointer}: ${failure.message}`, {
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    details: { ...failure.details, task: pointer },
  });
}

export const foldLayers = (layers: readonly NamedLayer[]): Folded => layers.reduce(narrow, NOTHING_FOLDED);

/** What an instance's layers come to, by the digest of its snapshot: both never change. */
const folds = new Map<string, Folded>();
const KEPT = 256;

export function foldedOf({ digest, body }: SnapshotWithDigest): Folded {
  let folded = folds.get(digest);
  if (folded === undefined) {
    folded = foldLayers(body.layers);
    if (folds.size >= KEPT) folds.delete(folds.keys().next().value!);
    folds.set(digest, folded);
  }
  return folded;
}
