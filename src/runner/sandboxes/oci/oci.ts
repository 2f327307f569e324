import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../../../base/canonical.ts";
import type { Cgroups } from "../cgroups.ts";
import { checkLimits } from "../limits.ts";
import { childrenOf, signalProcess } from "../processes.ts";
import { createProvider, type ProcessBackend } from "../provider.ts";
import type { SandboxCapability, SandboxProvider } from "../sandbox.ts";
import { type BundleOptions, bundlesDirectory, stateDirectory, writeBundle } from "./bundle.ts";
import { memoryDirectory } from "./memory-directory.ts";

export interface OciOptions extends BundleOptions {
  /** Absolute path of `crun` or `runc`. */
  readonly program: string;
  readonly cgroups: Cgroups | null;
}

const SIGNALS: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  6: "SIGABRT",
  9: "SIGKILL",
  11: "SIGSEGV",
  15: "SIGTERM",
};

/** The command line of the runtime, up to its own command. */
const runtimeCommand = (options: Pick<OciOptions, "program" | "dataDirectory">): string[] => [
  options.program,
  "--root",
  stateDirectory(options.dataDirectory),
];

/** A container by an OCI runtime in the foreground: its parent is the runtime, whose exit code is the command's. */
export function ociSandbox(options: OciOptions, capability: SandboxCapability): SandboxProvider {
  const group = `lightflow-${sha256(options.dataDirectory).slice(0, 12)}`;
  const backend: ProcessBackend = {
    capability,
    leavesNothing: true,
    ahead: false,
    holdsLimits: true,
    validate: (request) => checkLimits(request, options.cgroups),
    launch(request) {
      const isLimited = request.memoryBytes !== undefined || request.processes !== undefined;
      const bundle = writeBundle(options, request, isLimited ? `/${group}-${request.operationId}` : null);
      return {
        argv: [...runtimeCommand(options), "run", "--bundle", bundle, request.operationId],
        // The task's own directory may be one that only its image has.
        directory: bundle,
        descriptors: [],
        close() {},
      };
    },
    release(operationId) {
      rmSync(join(bundlesDirectory(options.dataDirectory), operationId), { recursive: true, force: true });
      rmSync(join(stateDirectory(options.dataDirectory), operationId), { recursive: true, force: true });
      removeEmpty(
        bundlesDirectory(options.dataDirectory),
        stateDirectory(options.dataDirectory),
        memoryDirectory(options.dataDirectory),
      );
    },
    // The runtime passes it on to the command.
    terminate: (pid) => signalProcess(pid, "SIGTERM"),
    kill(pid) {
      // The end of the namespace's first process is the end of all, and the runtime then cleans up after itself.
      const init = childrenOf(pid)[0];
      if (init === undefined || !signalProcess(init, "SIGKILL")) signalProcess(pid, "SIGKILL");
    },
    describeExit(exit) {
      const signal = exit.exitCode === null ? undefined : SIGNALS[exit.exitCode - 128];
      return signal === undefined ? exit : { exitCode: null, signal };
    },
  };
  const provider = createProvider(backend, options.dataDirectory, null);
  return {
    ...provider,
    async reconcile() {
      const ended = await provider.reconcile();
      // What an earlier runner left of its containers; their processes are gone.
      const state = stateDirectory(options.dataDirectory);
      for (const id of existsSync(state) ? readdirSync(state) : [])
        await Bun.spawn([...runtimeCommand(options), "delete", "--force", id], {
          stdio: ["ignore", "ignore", "ignore"],
        }).exited;
      rmSync(memoryDirectory(options.dataDirectory), { recursive: true, force: true });
      return ended;
    },
  };
}

/** Nothing of a runner without tasks stays in memory. */
function removeEmpty(...directories: readonly string[]): void {
  for (const directory of directories) {
    try {
      rmdirSync(directory);
    } catch {
      // Another task has something there.
    }
  }
}
