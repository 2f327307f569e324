import { fail } from "../../base/errors.ts";
import type { Lease } from "../../protocol/index.ts";
import { createRedaction } from "../../redaction/index.ts";
import type { AgentRun } from "../agent/agent.ts";
import { credentialFiles, type EffectiveConfig } from "../config.ts";
import { behindRelay, proxyEnvironment, SANDBOX_SOCKET_DIRECTORY } from "../egress/places.ts";
import type { EgressProxy } from "../egress/proxy.ts";
import { recordBase } from "../files/changes.ts";
import { viewOf, type Workspace } from "../files/workspaces.ts";
import { resolveMounts, type SandboxProvider, type SandboxRequest } from "../sandboxes/index.ts";
import type { TaskSecrets } from "../secrets.ts";
import { ownExecutable, stageFiles } from "./files.ts";
import { invocationOf } from "./invocation.ts";
import { type LeasePlaces, makePlaces } from "./places.ts";
import type { Reporter } from "./reporter.ts";
import type { LeaseServices } from "./services.ts";
import { openCopy, type TaskCopy } from "./task-copy.ts";

export interface Prepared {
  /** Held until it is released under the lease's workspace key. */
  readonly workspace: Workspace;
  readonly request: SandboxRequest;
  /** The only way out, where the network is allow-listed. */
  readonly egress: EgressProxy | null;
  readonly agent: AgentRun | null;
  /** Of what the workspace is a copy; null for one that began empty, or is the session's own. */
  readonly copy: TaskCopy | null;
}

/**
 * The workspace and the sandbox of one task, ready to run it.
 * @throws Failure that says why it cannot run here; nothing is held then
 */
export async function prepareTask(
  services: LeaseServices,
  lease: Lease,
  provider: SandboxProvider,
  places: LeasePlaces,
  secrets: TaskSecrets,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<Prepared> {
  const { config, workspaces, images } = services;
  const mounts = resolveMounts(lease.mounts, config.mounts, config.dataDirectory, credentialFiles(config));
  const staged = await stageFiles(lease, places, reporter, services.browser, signal);
  const own = await workspaces.acquire(lease);
  let copy: TaskCopy | null = null;
  let egress: EgressProxy | null = null;
  let agent: AgentRun | null = null;
  try {
    makePlaces(places);
    const { boundary, provider: kind, remote = false, namespaces = false } = provider.capability;
    // A workspace that may be frozen is one that is whole by itself.
    const layered = namespaces && lease.freeze === undefined;
    if (lease.workspace.copyOf !== undefined)
      copy = await openCopy(services, lease, places, own, layered, signal);
    const workspace = copy?.workspace ?? own;
    if (lease.workspace.mode === "session" || copy !== null) recordBase(viewOf(workspace), places.root);
    // Tasks in a prepared machine are processes beside one another, and share its /tmp.
    const isolated = boundary !== "process" && kind !== "vm";
    if (lease.agent !== undefined) {
      if (remote)
        throw fail(
          "feature_unsupported",
          "an agent's broker is a socket of this host, which another machine does not see",
        );
      const { openAgent } = await import("../agent/agent.ts");
      const redaction = createRedaction([...secrets.values, ...services.ownSecrets()]);
      agent = await openAgent(lease, workspace, services, places, redaction, signal);
    }
    const invocation = invocationOf(
      lease,
      workspace,
      isolated ? "/tmp" : places.temporary,
      // An image says itself where its tools stand.
      lease.task.type === "run.container"
        ? secrets.environment
        : { ...config.environment, ...secrets.environment },
      { ...staged, mounts: [...mounts, ...staged.mounts, ...(agent?.mounts ?? [])] },
      images,
      remote,
    );
    const plain: SandboxRequest = {
      operationId: lease.leaseId,
      mode: lease.sandbox.mode,
      ...invocation,
      environment: { ...invocation.environment, ...actionEnvironment(lease, services) },
      stdin: agent?.stdin ?? lease.task.stdin,
      network: lease.network,
      ...taskLimits(lease, config),
      longestMs: lease.deadlineMs + config.killGraceMs,
      ...(copy?.namespace == null ? {} : { namespace: copy.namespace }),
    };
    provider.validate(plain);
    if (lease.network === "allowlisted") {
      const { openEgressProxy } = await import("../egress/proxy.ts");
      egress = await openEgressProxy(
        lease.networkHosts ?? { allow: [], deny: [] },
        places.egress,
        places.root,
      );
    }
    const request = egress === null ? plain : throughProxy(plain, egress);
    await provider.prepare(request);
    return { workspace, request, egress, agent, copy };
  } catch (error) {
    await agent?.close();
    await egress?.close();
    await copy?.close();
    workspaces.release(lease.workspace.key);
    throw error;
  }
}

/** What a fixed action is told by its runner, and can be told by nobody else: tasks may not set names like these. */
function actionEnvironment({ action }: Lease, { config, key }: LeaseServices): Record<string, string> {
  if (action === undefined) return {};
  return {
    LIGHTFLOW_IDEMPOTENCY_KEY: action.idempotencyKey,
    LIGHTFLOW_BUILDER_KEYS: [key.publicKey, ...config.trustedBuilders].join(","),
  };
}

/** The same task, with the relay as its parent and the proxy's socket in sight. */
function throughProxy(request: SandboxRequest, egress: EgressProxy): SandboxRequest {
  if (request.imageRoot !== undefined) {
    throw fail("feature_unsupported", "a container's network is all or nothing: deny-all or open");
  }
  const own = ownExecutable();
  const [command = "", ...args] = behindRelay(
    [own.command, ...own.arguments],
    [request.command, ...request.arguments],
  );
  const seen = request.mounts.map(({ target }) => target);
  const paths = own.paths.filter((path) => !seen.includes(path));
  return {
    ...request,
    command,
    arguments: args,
    environment: { ...request.environment, ...proxyEnvironment() },
    mounts: [
      ...request.mounts,
      ...paths.map((path) => ({ source: path, target: path, readOnly: true })),
      { source: egress.directory, target: SANDBOX_SOCKET_DIRECTORY, readOnly: true },
    ],
  };
}

/** The lease's limits, never above the runner's own. The sandbox refuses what it cannot hold. */
function taskLimits(
  lease: Lease,
  config: EffectiveConfig,
): Pick<SandboxRequest, "memoryBytes" | "processes"> {
  const least = (asked: number | undefined, own: number | undefined) =>
    asked === undefined ? own : own === undefined ? asked : Math.min(asked, own);
  return {
    memoryBytes: least(lease.limits.memoryBytes, config.taskMemoryBytes),
    processes: least(lease.limits.processes, config.taskProcesses),
  };
}
