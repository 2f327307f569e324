import { realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../../base/errors.ts";
import type { Lease } from "../../protocol/index.ts";
import type { EffectiveConfig } from "../config.ts";
import { taskEnvironment } from "../environment.ts";
import type { Workspace } from "../files/workspaces.ts";
import { resolveMounts, type SandboxProvider, type SandboxRequest } from "../sandboxes/index.ts";
import type { TaskSecrets } from "../secrets.ts";
import { stageFiles } from "./files.ts";
import { type LeasePlaces, makePlaces, outputFile } from "./places.ts";
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
  const { config, workspaces } = services;
  const mounts = resolveMounts(lease.mounts, config.mounts, config.dataDirectory);
  const staged = await stageFiles(lease, places, reporter, signal);
  const workspace = await workspaces.acquire(lease);
  try {
    makePlaces(places);
    const isolated = provider.capability.boundary !== "process";
    const request: SandboxRequest = {
      operationId: lease.leaseId,
      mode: lease.sandbox.mode,
      command: staged.command,
      arguments: staged.arguments,
      environment: taskEnvironment(
        lease.leaseId,
        {
          directory: workspace.directory,
          home: workspace.home,
          temporary: isolated ? "/tmp" : places.temporary,
          output: outputFile(workspace.root, lease.leaseId),
          inputs: staged.inputs,
        },
        secrets.environment,
      ),
      stdin: lease.task.stdin,
      directory: workingDirectory(workspace.directory, lease.task.directory),
      writable: [workspace.root],
      mounts: [...mounts, ...staged.mounts],
      network: lease.network,
      ...taskLimits(lease, config),
    };
    checkCommand(request);
    await provider.prepare(request);
    return { workspace, request };
  } catch (error) {
    workspaces.release(lease.workspace.key);
    throw error;
  }
}

/** A folder of the workspace, reached without a link. */
function workingDirectory(root: string, directory: string | undefined): string {
  if (directory === undefined || directory === ".") return root;
  let real: string;
  try {
    real = realpathSync(join(root, directory));
  } catch {
    throw fail("execution_start_failed", `the workspace has no directory ${directory}`);
  }
  if (real !== join(realpathSync(root), directory)) {
    throw fail("execution_policy_denied", `the directory ${directory} leads out of the workspace by a link`);
  }
  if (!statSync(real).isDirectory()) {
    throw fail("execution_start_failed", `${directory} is not a directory of the workspace`);
  }
  return join(root, directory);
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

/** A program that is not there is a failed start, told before a sandbox turns it into an odd exit code. */
function checkCommand(request: SandboxRequest): void {
  const { command } = request;
  if (command.includes("/")) return;
  if (Bun.which(command, { PATH: request.environment["PATH"] ?? "", cwd: request.directory }) !== null)
    return;
  throw fail(
    "execution_start_failed",
    `the program ${JSON.stringify(command)} is not installed on this runner's host`,
    {
      hint: `PATH is ${request.environment["PATH"]}`,
    },
  );
}
