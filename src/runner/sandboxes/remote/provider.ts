import { canonicalJson, sha256 } from "../../../base/canonical.ts";
import { fail, toFailure } from "../../../base/errors.ts";
import type {
  OperationState,
  ProcessExit,
  SandboxCapability,
  SandboxProcess,
  SandboxProvider,
  SandboxRequest,
} from "../sandbox.ts";

/** Where the output of a command that runs elsewhere goes; a write waits until it was taken. */
export interface RemoteOutput {
  stdout(bytes: Uint8Array): Promise<void>;
  stderr(bytes: Uint8Array): Promise<void>;
}

/** What differs between the sandboxes that are somebody else's to run. Each operation may be repeated. */
export interface RemoteBackend {
  readonly capability: SandboxCapability;
  validate(request: SandboxRequest): void;
  /** Make the sandbox, its command waiting. @throws Failure `execution_start_failed` */
  create(request: SandboxRequest): Promise<void>;
  /** Let the command begin, and follow it to its end. What is thrown means that the end is not known. */
  run(request: SandboxRequest, output: RemoteOutput, signal: AbortSignal): Promise<ProcessExit>;
  /** Ask the command to end. */
  terminate(operationId: string): Promise<void>;
  /** Nothing of it runs when this returns. @throws Failure `execution_cleanup_pending` */
  remove(operationId: string): Promise<void>;
  /** What of the service was found to answer. @throws Failure */
  check(): Promise<string>;
  /** Remove what an earlier runner of this name left; the number of sandboxes removed. */
  sweep(): Promise<number>;
}

interface Operation {
  readonly request: SandboxRequest;
  readonly fingerprint: string;
  readonly made: Promise<void>;
  readonly stop: AbortController;
  process: SandboxProcess | null;
  exit: ProcessExit | null;
  removed: Promise<void> | null;
}

/** How much later than its sandbox the end of a command may be heard of. */
const FAREWELL_MS = 5_000;

/** The one interface over a sandbox that another host runs: a command there has no process id here. */
export function remoteProvider(backend: RemoteBackend): SandboxProvider {
  const operations = new Map<string, Operation>();

  const start = (operation: Operation): SandboxProcess => {
    const out = channel();
    const err = channel();
    const { signal } = operation.stop;
    const run = backend.run(operation.request, { stdout: out.write, stderr: err.write }, signal);
    const exited = run
      .catch(
        (error): ProcessExit => ({
          exitCode: null,
          signal: operation.removed === null ? null : "SIGKILL",
          // What was ended by us needs no other reason.
          ...(operation.removed === null ? { unknown: toFailure(error).message } : {}),
        }),
      )
      .then((exit) => {
        operation.exit = exit;
        out.close();
        err.close();
        return exit;
      });
    return { pid: 0, stdout: out.stream, stderr: err.stream, exited };
  };

  return {
    capability: backend.capability,
    validate(request) {
      if (!backend.capability.modes.includes(request.mode)) {
        throw fail(
          "feature_unsupported",
          `${backend.capability.provider} does not run sandbox mode ${request.mode}`,
        );
      }
      if (request.imageRoot !== undefined)
        throw fail("feature_unsupported", `${backend.capability.provider} runs no images of this runner`);
      backend.validate(request);
    },
    async prepare(request) {
      const fingerprint = sha256(canonicalJson(request));
      const known = operations.get(request.operationId);
      if (known !== undefined) {
        if (known.fingerprint === fingerprint) return known.made;
        throw fail("conflict", `${request.operationId} is already prepared with another request`);
      }
      this.validate(request);
      const operation: Operation = {
        request,
        fingerprint,
        made: backend.create(request),
        stop: new AbortController(),
        process: null,
        exit: null,
        removed: null,
      };
      operations.set(request.operationId, operation);
      try {
        await operation.made;
      } catch (error) {
        // Half made is not made. What cannot be removed now stays known, and the lease's own cleanup tries again.
        await this.cleanup(request.operationId).catch(() => {});
        throw error;
      }
    },
    inspect(operationId): OperationState {
      const operation = operations.get(operationId);
      if (operation === undefined) return "absent";
      if (operation.process === null) return "prepared";
      return operation.exit === null ? "running" : "ended";
    },
    execute(operationId) {
      const operation = operations.get(operationId);
      if (operation === undefined) throw fail("not_found", `no sandbox is prepared for ${operationId}`);
      operation.process ??= start(operation);
      return operation.process;
    },
    terminate(operationId) {
      const operation = operations.get(operationId);
      if (operation?.process && operation.exit === null) void backend.terminate(operationId).catch(() => {});
    },
    async kill(operationId) {
      const operation = operations.get(operationId);
      if (operation === undefined) return;
      operation.removed ??= backend.remove(operationId);
      try {
        await operation.removed;
      } catch (error) {
        // Asked again, it is tried again.
        operation.removed = null;
        throw error;
      }
      if (operation.process === null) return;
      await Promise.race([operation.process.exited, Bun.sleep(FAREWELL_MS)]);
      operation.stop.abort();
      await operation.process.exited;
    },
    async cleanup(operationId) {
      await this.kill(operationId);
      operations.delete(operationId);
    },
    check: () => backend.check(),
    reconcile: () => backend.sweep(),
  };
}

/** Bytes from a writer that waits until its reader is near. */
function channel() {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(
    {},
    new ByteLengthQueuingStrategy({ highWaterMark: 1 << 20 }),
    new ByteLengthQueuingStrategy({ highWaterMark: 1 << 20 }),
  );
  const writer = writable.getWriter();
  return {
    stream: readable,
    // A reader that went away takes nothing more; the command's end does not depend on it.
    write: (bytes: Uint8Array) => writer.write(bytes).catch(() => {}),
    close: () => void writer.close().catch(() => {}),
  };
}
