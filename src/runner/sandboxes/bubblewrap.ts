import { closeSync, existsSync, openSync } from "node:fs";
import { inNamespace } from "../files/overlay.ts";
import type { Cgroups } from "./cgroups.ts";
import { checkLimits } from "./limits.ts";
import { childrenOf, signalProcess } from "./processes.ts";
import { behindGate, createProvider, type ProcessBackend } from "./provider.ts";
import type { SandboxCapability, SandboxProvider, SandboxRequest } from "./sandbox.ts";
import { systemArguments } from "./system-root.ts";
import { taskMounts } from "./task-mounts.ts";

export interface BubblewrapOptions {
  /** Absolute path of `bwrap`. */
  readonly program: string;
  readonly dataDirectory: string;
  readonly readOnlyPaths: readonly string[];
  readonly temporaryBytes: number;
  readonly cgroups: Cgroups | null;
  /** The system call filter, or null on a machine that has none. */
  readonly filterFile: string | null;
}

type Paths = Pick<BubblewrapOptions, "dataDirectory" | "readOnlyPaths" | "temporaryBytes">;

export const BUBBLEWRAP_MODES = ["none", "workflow-session", "per-agent-call", "per-publish"] as const;

/** The arguments of `bwrap` for one task, up to the command. */
export function bubblewrapArguments(options: Paths, request: SandboxRequest): string[] {
  const size = String(options.temporaryBytes);
  const args = [
    "--unshare-user",
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-uts",
    "--unshare-cgroup-try",
    ...(request.network === "open" ? [] : ["--unshare-net"]),
    "--die-with-parent",
    "--new-session",
    "--cap-drop",
    "ALL",
    "--hostname",
    "lightflow",
    // In a user namespace of ours the runner's user has another number: the task keeps its own.
    ...(request.namespace?.user === true
      ? ["--uid", String(process.getuid?.()), "--gid", String(process.getgid?.())]
      : []),
    ...systemArguments(options.dataDirectory, request.network === "open"),
    ...options.readOnlyPaths.flatMap((path) => ["--ro-bind-try", path, path]),
    ...["--size", size, "--tmpfs", "/tmp", "--size", size, "--tmpfs", "/dev/shm"],
  ];
  for (const mount of taskMounts(options.dataDirectory, request)) {
    if (mount.source === null) args.push("--tmpfs", mount.target);
    else args.push(mount.readOnly ? "--ro-bind" : "--bind", mount.source, mount.target);
  }
  // Last: until here bwrap itself makes mount points in its root.
  args.push("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", request.directory, "--");
  return args;
}

/** Namespaces of its own for user, mount, pid, ipc, uts, cgroup and (unless open) network: nothing outlives it. */
export function bubblewrapSandbox(
  options: BubblewrapOptions,
  capability: SandboxCapability,
): SandboxProvider {
  const backend: ProcessBackend = {
    capability,
    leavesNothing: true,
    ahead: true,
    validate: (request) => checkLimits(request, options.cgroups),
    launch(request, gate) {
      // The kernel reads the filter to its end, so each child needs an open file of its own.
      const filter = options.filterFile === null ? null : openSync(options.filterFile, "r");
      return {
        argv: [
          ...(request.namespace === undefined ? [] : inNamespace(request.namespace)),
          options.program,
          ...(filter === null ? [] : ["--seccomp", String(gate! + 1)]),
          ...bubblewrapArguments(options, request),
          ...behindGate(gate!, [request.command, ...request.arguments]),
        ],
        // What it starts in is a directory there, and perhaps none here.
        ...(request.namespace === undefined ? {} : { directory: "/" }),
        descriptors: filter === null ? [] : [filter],
        close() {
          if (filter !== null) closeSync(filter);
        },
      };
    },
    terminate(pid) {
      // The first child is the namespace's init: as a group leader it passes the signal to every member of the task's
      // session and, being init without a handler, ignores it itself. Signalling bwrap would end all of it at once.
      const init = childrenOf(pid)[0];
      if (init === undefined || !signalProcess(-init, "SIGTERM")) signalProcess(pid, "SIGTERM");
    },
    kill(pid) {
      // Killing init is enough: the kernel ends the namespace, and bwrap returns only after that.
      const init = childrenOf(pid)[0];
      if (init === undefined || !signalProcess(init, "SIGKILL")) signalProcess(pid, "SIGKILL");
    },
    describeExit: (exit) => exit,
  };
  return createProvider(backend, options.dataDirectory, options.cgroups);
}

export function findBubblewrap(): string | null {
  return ["/usr/bin/bwrap", "/bin/bwrap", "/usr/local/bin/bwrap"].find((path) => existsSync(path)) ?? null;
}
