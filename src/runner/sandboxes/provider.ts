import { canonicalJson, sha256 } from "../../base/canonical.ts";
import { fail, toFailure } from "../../base/errors.ts";
import { pause } from "../wire/backoff.ts";
import { processesWithEnvironment, signalProcess } from "./processes.ts";
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

/** What differs between the kinds of sandbox that are child processes of the runner. */
export interface ProcessBackend {
  readonly capability: SandboxCapability;
  /** Whether the end of the main process is the end of all of them, by the kernel's word. */
  readonly leavesNothing: boolean;
  validate(request: SandboxRequest): void;
  /** The argument vector to spawn; `close` frees what it refers to, once the child has started. */
  launch(request: SandboxRequest): { argv: string[]; descriptors: number[]; close(): void };
  terminate(pid: number): void;
  kill(pid: number): void;
  describeExit(exit: ProcessExit): ProcessExit;
}

interface Operation {
  readonly request: SandboxRequest;
  readonly fingerprint: string;
  process: SandboxProcess | null;
  exit: ProcessExit | null;
}

/** How long a killed process may take to vanish before the cleanup counts as failed. */
const VANISH_MS = 5_000;

export function createProvider(backend: ProcessBackend, dataDirectory: string): SandboxProvider {
  const operations = new Map<string, Operation>();

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
      const left = processesWithEnvironment(name, value);
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

  const spawn = (operation: Operation): SandboxProcess => {
    const { request } = operation;
    const launch = backend.launch(request);
    try {
      const child = Bun.spawn(launch.argv, {
        cwd: request.directory,
        env: { ...request.environment },
        stdio: [
          request.stdin === undefined ? "ignore" : Buffer.from(request.stdin),
          "pipe",
          "pipe",
          ...launch.descriptors,
        ],
        // A session of its own: the group can be signalled, and no terminal is shared.
        detached: true,
      });
      const exited = child.exited.then(() => {
        operation.exit = backend.describeExit({
          exitCode: child.exitCode,
          signal: child.signalCode as string | null,
        });
        return operation.exit;
      });
      return { pid: child.pid, stdout: child.stdout, stderr: child.stderr, exited };
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
      operations.set(request.operationId, { request, fingerprint, process: null, exit: null });
    },
    inspect(operationId): OperationState {
      const operation = operations.get(operationId);
      if (operation === undefined) return "absent";
      if (operation.process === null) return "prepared";
      return operation.exit === null ? "running" : "ended";
    },
    execute(operationId) {
      const operation = find(operationId);
      operation.process ??= spawn(operation);
      return operation.process;
    },
    terminate(operationId) {
      const operation = operations.get(operationId);
      if (operation?.process && operation.exit === null) backend.terminate(operation.process.pid);
    },
    async kill(operationId) {
      const operation = operations.get(operationId);
      if (operation?.process && operation.exit === null) {
        backend.kill(operation.process.pid);
        await Promise.race([operation.process.exited, pause(VANISH_MS)]);
      }
      if (operation?.exit && backend.leavesNothing) return;
      // The leader may be gone while its group is not.
      if (operation?.process) signalProcess(-operation.process.pid, "SIGKILL");
      await endMarked(LEASE_MARKER, operationId);
    },
    async cleanup(operationId) {
      const operation = operations.get(operationId);
      if (operation?.process && operation.exit === null) await this.kill(operationId);
      operations.delete(operationId);
    },
    reconcile: () => endMarked(WORKSPACE_MARKER, `${dataDirectory}/`),
  };
}
