import { closeSync, writeSync } from "node:fs";
import { canonicalJson, sha256 } from "../../base/canonical.ts";
import { fail, toFailure } from "../../base/errors.ts";
import { pause } from "../../base/pause.ts";
import type { Cgroup, Cgroups } from "./cgroups.ts";
import {
  childrenOf,
  lowerPriority,
  lowerSessions,
  processesWithEnvironment,
  signalProcess,
} from "./processes.ts";
import type {
  OperationState,
  ProcessExit,
  SandboxCapability,
  SandboxProcess,
  SandboxProvider,
  SandboxRequest,
} from "./sandbox.ts";

/** Every task carries its lease id in its environment; leftovers are found by it. */
export const LEASE_MARKER = "LIGHTFLOW_LEASE";
/** And the directory it works in, which names the runner that started it. */
export const WORKSPACE_MARKER = "LIGHTFLOW_WORKSPACE";

export interface Launch {
  readonly argv: string[];
  /** Where to start it, when not in the task's own directory. */
  readonly directory?: string;
  /** Descriptors of ours that the child gets, from number 3 on. */
  readonly descriptors: readonly number[];
  close(): void;
}

/** What differs between the kinds of sandbox that are child processes of the runner. */
export interface ProcessBackend {
  readonly capability: SandboxCapability;
  /** Whether the end of the main process is the end of all of them, by the kernel's word. */
  readonly leavesNothing: boolean;
  validate(request: SandboxRequest): void;
  /**
   * The argument vector to spawn; `close` frees what it refers to, once the child has started. With a gate, the
   * command must not begin before a byte can be read from that descriptor of the child.
   */
  launch(request: SandboxRequest, gate: number | null): Launch;
  /** Whether making the sandbox is slow enough to be done ahead, behind a closed gate. */
  readonly ahead: boolean;
  /** Whether it holds the limits of memory and processes by itself. */
  readonly holdsLimits?: boolean;
  /** Free what `launch` made, once nothing of the operation runs. */
  release?(operationId: string): void;
  terminate(pid: number): void;
  kill(pid: number): void;
  describeExit(exit: ProcessExit): ProcessExit;
}

interface Child {
  readonly process: SandboxProcess;
  /** Our end of the start gate, or null once it is open. */
  gate: number | null;
}

interface Operation {
  readonly request: SandboxRequest;
  readonly fingerprint: string;
  cgroup: Cgroup | null;
  child: Child | null;
  executed: boolean;
  /** Whether nothing of it runs any more. */
  gone: boolean;
  exit: ProcessExit | null;
}

/** How long a killed process may take to vanish before the cleanup counts as failed. */
const VANISH_MS = 5_000;

/** The first descriptor of a child beyond the standard three. */
const FIRST_DESCRIPTOR = 3;

/** How much less of the processor than the runner itself a task gets when both want it: heartbeats come first. */
const NICENESS = 10;

/**
 * A shell that waits for a word before it becomes the command. When the runner dies it reads an end instead of the
 * word and goes away: a sandbox that was made ahead never runs what nobody recorded.
 */
export const behindGate = (gate: number, command: readonly string[]): string[] => [
  "/bin/sh",
  "-c",
  `read -r word <&${gate} && exec ${gate}<&- && exec "$@"`,
  "sh",
  ...command,
];

/** Put a process into a group with all that it forked before: first the parent, so that no later child is missed. */
async function adopt(group: Cgroup, pid: number): Promise<void> {
  await group.add(pid);
  for (const child of childrenOf(pid)) await adopt(group, child);
}

function closeGate(child: Child | null, word?: string): void {
  if (child === null || child.gate === null) return;
  const descriptor = child.gate;
  child.gate = null;
  try {
    if (word !== undefined) writeSync(descriptor, word);
  } catch {
    // The child is gone already; its exit says so.
  } finally {
    closeSync(descriptor);
  }
}

export function createProvider(
  backend: ProcessBackend,
  dataDirectory: string,
  cgroups: Cgroups | null,
): SandboxProvider {
  const operations = new Map<string, Operation>();

  /** Whether the runner has to put the task into a group of its own. */
  const needsGroup = (request: SandboxRequest): boolean =>
    backend.holdsLimits !== true && (request.memoryBytes !== undefined || request.processes !== undefined);

  const find = (operationId: string): Operation => {
    const operation = operations.get(operationId);
    if (operation === undefined) throw fail("not_found", `no sandbox is prepared for ${operationId}`);
    return operation;
  };

  /** End all processes that carry a marker; repeated, since one may fork while the list is read. */
  const endMarked = async (name: string, value: string): Promise<number> => {
    const seen = new Set<number>();
    const end = performance.now() + VANISH_MS;
    for (;;) {
      const left = await processesWithEnvironment(name, value);
      if (left.length === 0) return seen.size;
      if (performance.now() > end) {
        throw fail("execution_cleanup_pending", `${left.length} processes of the task cannot be ended`, {
          details: { pids: left },
        });
      }
      for (const pid of left) {
        seen.add(pid);
        signalProcess(pid, "SIGKILL");
      }
      await pause(10);
    }
  };

  /** End all members of a group, and the group: nobody can have left it. */
  const endGroup = async (group: Cgroup): Promise<void> => {
    const end = performance.now() + VANISH_MS;
    for (;;) {
      group.kill();
      if (group.members().length === 0 && group.remove()) return;
      if (performance.now() > end) {
        throw fail("execution_cleanup_pending", "the processes of the task cannot be ended", {
          details: { pids: group.members() },
        });
      }
      await pause(5);
    }
  };

  const spawn = (operation: Operation): Child => {
    const { request } = operation;
    // A limit counts from the first instruction of the command: it waits until its group is there.
    const gate = backend.ahead || needsGroup(request) ? FIRST_DESCRIPTOR : null;
    const launch = backend.launch(request, gate);
    try {
      const child = Bun.spawn(launch.argv, {
        cwd: launch.directory ?? request.directory,
        env: { ...request.environment },
        stdio: [
          request.stdin === undefined ? "ignore" : Buffer.from(request.stdin),
          "pipe",
          "pipe",
          ...(gate === null ? [] : ["pipe" as const]),
          ...launch.descriptors,
        ],
        // A session of its own: the group can be signalled, and no terminal is shared.
        detached: true,
      });
      lowerPriority(child.pid, NICENESS);
      const exited = child.exited.then(() => {
        operation.exit = backend.describeExit({
          exitCode: child.exitCode,
          signal: child.signalCode as string | null,
        });
        return operation.exit;
      });
      return {
        process: { pid: child.pid, stdout: child.stdout, stderr: child.stderr, exited },
        gate: gate === null ? null : (child.stdio[gate] as unknown as number),
      };
    } catch (error) {
      throw fail(
        "execution_start_failed",
        `${request.command} cannot be started: ${toFailure(error).message}`,
        {
          cause: error,
        },
      );
    } finally {
      launch.close();
    }
  };

  return {
    capability: backend.capability,
    validate(request) {
      if (!backend.capability.modes.includes(request.mode)) {
        throw fail(
          "feature_unsupported",
          `sandbox mode ${request.mode} needs isolation that ${backend.capability.provider} does not give`,
          { hint: "install bubblewrap (apt-get install bubblewrap) and allow user namespaces" },
        );
      }
      if (request.imageRoot !== undefined && backend.capability.images !== true)
        throw fail("feature_unsupported", "no OCI runtime of this host runs images", {
          hint: "apt-get install crun (or runc), then see: lightflow runner doctor",
        });
      backend.validate(request);
    },
    async prepare(request) {
      const fingerprint = sha256(canonicalJson(request));
      const known = operations.get(request.operationId);
      if (known !== undefined) {
        if (known.fingerprint === fingerprint) return;
        throw fail("conflict", `${request.operationId} is already prepared with another request`);
      }
      this.validate(request);
      const operation: Operation = {
        request,
        fingerprint,
        cgroup: null,
        child: null,
        executed: false,
        gone: false,
        exit: null,
      };
      operations.set(request.operationId, operation);
      try {
        if (backend.ahead || needsGroup(request)) operation.child = spawn(operation);
        // Moving a process between groups takes the kernel milliseconds, so only tasks with limits pay for it.
        if (needsGroup(request) && cgroups !== null) {
          operation.cgroup = cgroups.create(request.operationId, request);
          await adopt(operation.cgroup, operation.child!.process.pid);
        }
      } catch (error) {
        await this.cleanup(request.operationId);
        throw error;
      }
    },
    inspect(operationId): OperationState {
      const operation = operations.get(operationId);
      if (operation === undefined) return "absent";
      if (!operation.executed) return "prepared";
      return operation.exit === null ? "running" : "ended";
    },
    execute(operationId) {
      const operation = find(operationId);
      operation.child ??= spawn(operation);
      operation.executed = true;
      closeGate(operation.child, "go\n");
      const { pid } = operation.child.process;
      void lowerSessions(pid, backend.ahead, NICENESS, () => operation.exit === null);
      return operation.child.process;
    },
    terminate(operationId) {
      const operation = operations.get(operationId);
      if (operation?.child && operation.exit === null) backend.terminate(operation.child.process.pid);
    },
    async kill(operationId) {
      const operation = operations.get(operationId);
      const child = operation?.child ?? null;
      closeGate(child);
      if (operation?.gone) return;
      if (operation && child && operation.exit === null) {
        backend.kill(child.process.pid);
        await Promise.race([child.process.exited, pause(VANISH_MS)]);
      }
      if (!(operation?.exit && backend.leavesNothing)) {
        // The leader may be gone while its group is not.
        if (child) signalProcess(-child.process.pid, "SIGKILL");
        // What left its process group is found by its mark.
        await endMarked(LEASE_MARKER, operationId);
      }
      if (operation?.cgroup) await endGroup(operation.cgroup);
      if (operation?.child) operation.gone = true;
    },
    async cleanup(operationId) {
      const operation = operations.get(operationId);
      if (operation?.child && !operation.gone) await this.kill(operationId);
      if (operations.delete(operationId)) backend.release?.(operationId);
    },
    async reconcile() {
      const grouped = cgroups?.sweep() ?? 0;
      const marked = await endMarked(WORKSPACE_MARKER, `${dataDirectory}/`);
      // Groups can be removed only now that their members are gone.
      cgroups?.sweep();
      return Math.max(grouped, marked);
    },
  };
}
