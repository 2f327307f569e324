import { digestOf } from "../base/canonical.ts";
import { fail } from "../base/errors.ts";
import { isObject, type JsonObject } from "../base/json.ts";
import { type ExecutionProfile, type NetworkPolicy, SANDBOX_MODES, type SandboxMode } from "./profile.ts";

/** What a document or a task asks for, under `metadata.lightWorkflow`. */
export interface PolicyRequest {
  runnerPool?: string;
  executionProfile?: string;
  capabilities?: string[];
  commandTemplateId?: string;
  sandboxMode?: SandboxMode;
  network?: NetworkPolicy;
  timeoutMs?: number;
}

/** The policy of one instance, fixed at its start and kept by digest. */
export interface PolicySnapshot {
  readonly version: 1;
  readonly profile: ExecutionProfile;
  readonly workflow: PolicyRequest;
}

/** What one task may do at last: the lease's scope. */
export interface EffectivePolicy {
  readonly runnerPool: string;
  readonly executionProfile: string;
  readonly capabilities: readonly string[];
  readonly commandTemplateId: string | undefined;
  readonly sandboxMode: SandboxMode;
  readonly network: NetworkPolicy;
  readonly hostExposure: ExecutionProfile["hostExposure"];
  readonly taskMs: number;
  readonly logBytes: number;
}

/** Read `metadata.lightWorkflow` as a request; its schema was checked when the document was loaded. */
export function policyRequest(light: JsonObject): PolicyRequest {
  const runner = (isObject(light["runner"]) ? light["runner"] : {}) as PolicyRequest;
  const security = (isObject(light["security"]) ? light["security"] : {}) as {
    sandbox?: { mode?: SandboxMode };
  };
  const { runnerPool, executionProfile, capabilities, commandTemplateId } = runner;
  const mode = security.sandbox?.mode;
  return {
    ...(runnerPool === undefined ? {} : { runnerPool }),
    ...(executionProfile === undefined ? {} : { executionProfile }),
    ...(capabilities === undefined ? {} : { capabilities }),
    ...(commandTemplateId === undefined ? {} : { commandTemplateId }),
    ...(mode === undefined ? {} : { sandboxMode: mode }),
    ...(light["network"] === undefined ? {} : { network: light["network"] as NetworkPolicy }),
    ...(typeof light["timeoutMs"] === "number" ? { timeoutMs: light["timeoutMs"] } : {}),
  };
}

/** Snapshots by profile version and request, both of which never change: most starts ask the same. */
const known = new Map<string, { body: PolicySnapshot; digest: string }>();
const KNOWN = 256;

export function snapshotPolicy(
  profile: ExecutionProfile,
  workflow: PolicyRequest,
): { body: PolicySnapshot; digest: string } {
  const key = `${profile.id}@${profile.version} ${JSON.stringify(workflow)}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const body: PolicySnapshot = { version: 1, profile, workflow };
  // Whatever the workflow itself asks for too much is refused at the start, not at the first task.
  resolvePolicy(body, {});
  const snapshot = { body, digest: digestOf(body) };
  if (known.size >= KNOWN) known.clear();
  known.set(key, snapshot);
  return snapshot;
}

const rank = (mode: SandboxMode): number => SANDBOX_MODES.indexOf(mode);

/**
 * The strictest of profile, workflow and task. A layer that asks for more than the one above it allows is refused with
 * its name, never cut down in silence.
 * @throws Failure `execution_policy_denied`
 */
export function resolvePolicy(
  snapshot: PolicySnapshot,
  task: PolicyRequest,
  defaultTaskMs = 600_000,
): EffectivePolicy {
  const { profile, workflow } = snapshot;
  const deny = (layer: string, what: string): never => {
    throw fail(
      "execution_policy_denied",
      `the ${layer} asks for ${what}, which profile ${profile.id} does not allow`,
      {
        hint: "ask for less, or have an operator approve a wider profile",
        details: { layer },
      },
    );
  };
  const layers = [
    ["workflow", workflow],
    ["task", task],
  ] as const;
  let sandboxMode = profile.minimumSandbox;
  let network: NetworkPolicy = "deny-all";
  let taskMs = Math.min(defaultTaskMs, profile.maximumTaskMs);
  for (const [layer, request] of layers) {
    if (request.executionProfile !== undefined && request.executionProfile !== profile.id) {
      deny(layer, `the profile ${request.executionProfile}`);
    }
    if (request.runnerPool !== undefined && !profile.runnerPools.includes(request.runnerPool)) {
      deny(layer, `the pool ${request.runnerPool}`);
    }
    for (const name of request.capabilities ?? []) {
      if (!profile.capabilities.includes(name)) deny(layer, `the capability ${name}`);
    }
    if (request.sandboxMode !== undefined) {
      if (rank(request.sandboxMode) < rank(sandboxMode))
        deny(layer, `the weaker sandbox ${request.sandboxMode}`);
      sandboxMode = request.sandboxMode;
    }
    if (request.network !== undefined) {
      if (!profile.network.includes(request.network)) deny(layer, `the network policy ${request.network}`);
      network = request.network;
    }
    if (request.timeoutMs !== undefined) {
      if (request.timeoutMs > profile.maximumTaskMs) deny(layer, `${request.timeoutMs} ms for a task`);
      taskMs = request.timeoutMs;
    }
  }
  if (workflow.network === "deny-all" && task.network === "open")
    deny("task", "a wider network than the workflow");
  return {
    runnerPool: task.runnerPool ?? workflow.runnerPool ?? profile.runnerPools[0]!,
    executionProfile: profile.id,
    capabilities: [...new Set([...(workflow.capabilities ?? []), ...(task.capabilities ?? [])])].sort(),
    commandTemplateId: task.commandTemplateId ?? workflow.commandTemplateId,
    sandboxMode,
    network,
    hostExposure: profile.hostExposure,
    taskMs,
    logBytes: profile.maximumLogBytes,
  };
}
