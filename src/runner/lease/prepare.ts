import type { Lease } from "../../protocol/index.ts";
import type { EffectiveConfig } from "../config.ts";
import type { Workspace } from "../files/workspaces.ts";
import { resolveMounts, type SandboxProvider, type SandboxRequest } from "../sandboxes/index.ts";
import type { TaskSecrets } from "../secrets.ts";
import { stageFiles } from "./files.ts";
import { invocationOf } from "./invocation.ts";
import { type LeasePlaces, makePlaces } from "./places.ts";
import type { Reporter } from "./reporter.ts";
import type { LeaseServices } from "./services.ts";

export interface Prepared {
  /** Held until it is released under the lease's workspace key. */
  readonly workspace: Workspace;
  readonly request: SandboxRequest;
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
  const mounts = resolveMounts(lease.mounts, config.mounts, config.dataDirectory);
  const staged = await stageFiles(lease, places, reporter, signal);
  const workspace = await workspaces.acquire(lease);
  try {
    makePlaces(places);
    const isolated = provider.capability.boundary !== "process";
    const request: SandboxRequest = {
      operationId: lease.leaseId,
      mode: lease.sandbox.mode,
      ...invocationOf(
        lease,
        workspace,
        isolated ? "/tmp" : places.temporary,
        secrets.environment,
        { ...staged, mounts: [...mounts, ...staged.mounts] },
        images,
      ),
      stdin: lease.task.stdin,
      network: lease.network,
      ...taskLimits(lease, config),
    };
    await provider.prepare(request);
    return { workspace, request };
  } catch (error) {
    workspaces.release(lease.workspace.key);
    throw error;
  }
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
