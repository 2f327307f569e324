import { existsSync } from "node:fs";
import { Failure, fail } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Paths } from "../base/xdg.ts";
import type { CortexPlace } from "../cortex/index.ts";
import { callOperation, isFinished, type OutputOf, type ServiceName, service } from "../service/index.ts";
import { type Host, type HostOptions, openHost } from "./host.ts";
import { openParts, serviceContext, storePath } from "./parts.ts";
import { probeSocket, socketPath } from "./probe.ts";
import { callSocket } from "./socket.ts";

/** How a command reaches the service: a running host's socket, roles of its own, or just the store. */
export interface Client {
  readonly kind: "socket" | "host" | "store";
  /** Rejects when roles in this process cannot do their work; else it never settles. */
  readonly failed: Promise<never>;
  call<Name extends ServiceName>(
    name: Name,
    input: Record<string, unknown>,
    signal?: AbortSignal,
  ): Promise<OutputOf<Name>>;
  /** `abandon`: end at once and leave unfinished runs to the next host. */
  close(closing?: { readonly abandon: boolean }): Promise<void>;
}

/** Between two looks at a store that other processes write: well inside what a person sees as at once. */
const LOOK_MS = 100;

const NEVER = new Promise<never>(() => {});

function socketClient(path: string): Client {
  return {
    kind: "socket",
    failed: NEVER,
    call: (name, input, signal) => callSocket(path, name, input, signal),
    close: async () => {},
  };
}

/** The socket of a host that works on this very store. */
async function findHost(paths: Paths): Promise<Client | null> {
  const path = socketPath(paths);
  const health = await probeSocket(path);
  return health !== null && health.state === paths.state ? socketClient(path) : null;
}

function localCall(context: Host["context"]): Client["call"] {
  return (name, input, signal) => callOperation(service[name] as never, context, input, signal) as never;
}

export const hasStore = (paths: Paths): boolean => existsSync(storePath(paths));

/**
 * For what needs no role: a running host, else the store itself, which is made where `mayCreate` says so. A host that ends
 * meanwhile is replaced by the next one, or by the store: whoever follows a run goes on after what he has read.
 */
export async function connectToRead(
  paths: Paths,
  log: Log,
  root: string,
  mayCreate = false,
): Promise<Client> {
  const found = await findHost(paths);
  if (found !== null) {
    return replaceable(found, {
      again: async () => (await findHost(paths)) ?? openStore(paths, log, root),
      mayRepeat: (name, { kind }) => kind === "socket" && service[name].scope === "read",
    });
  }
  if (!mayCreate && !hasStore(paths)) {
    throw fail("not_found", "there are no runs yet", { hint: "start one: lightflow run start WORKFLOW" });
  }
  return openStore(paths, log, root);
}

interface Replacement {
  again(): Promise<Client>;
  /** Whether what was asked of a client that has gone may be asked of the next one. */
  mayRepeat(name: ServiceName, gone: Client): boolean;
  /** What the next one is given. */
  given?(name: ServiceName, input: Record<string, unknown>): Record<string, unknown>;
}

/** A client that is replaced once its host has ended. */
function replaceable(first: Client, { again, mayRepeat, given }: Replacement): Client {
  let current = first;
  return {
    get kind() {
      return current.kind;
    },
    get failed() {
      return current.failed;
    },
    async call<Name extends ServiceName>(
      name: Name,
      input: Record<string, unknown>,
      signal?: AbortSignal,
    ): Promise<OutputOf<Name>> {
      try {
        return await current.call(name, input, signal);
      } catch (error) {
        const gone = error instanceof Failure && error.code === "unavailable";
        if (!gone || signal?.aborted || !mayRepeat(name, current)) throw error;
        current = await again();
        return await current.call(name, given?.(name, input) ?? input, signal);
      }
    },
    close: (closing) => current.close(closing),
  };
}

function openStore(paths: Paths, log: Log, root: string): Client {
  const parts = openParts(paths, log);
  const context = serviceContext(parts, { root, trustsPaths: true, orchestration: null });
  const call = localCall(context);
  return {
    kind: "store",
    failed: NEVER,
    // Nobody tells a process that is no role of what others commit: it looks.
    call: (name, input, signal) =>
      call(
        name,
        typeof input["wait_ms"] === "number"
          ? { ...input, wait_ms: Math.min(input["wait_ms"], LOOK_MS) }
          : input,
        signal,
      ),
    close: () => parts.close(),
  };
}

/** For what is kept beside the runs: a running host, else the store itself, made where there is none. */
export async function connectToRecords(paths: Paths, log: Log, root: string): Promise<Client> {
  return (await findHost(paths)) ?? openStore(paths, log, root);
}

/**
 * For commands that take a run step by step: always the store itself, in this process. The files of `/ctx` are then those
 * of this user and of this environment, whoever hosts runs beside it.
 */
export async function connectToStore(
  paths: Paths,
  log: Log,
  root: string,
  place?: CortexPlace,
): Promise<Client> {
  const parts = openParts(paths, log);
  const context = {
    ...serviceContext(parts, { root, trustsPaths: true, orchestration: null }),
    ...(place === undefined ? {} : { place }),
  };
  return { kind: "store", failed: NEVER, call: localCall(context), close: () => parts.close() };
}

/** For commands that change a run: a running host's orchestrator, or `no_orchestrator`. */
export async function connectToOrchestrator(paths: Paths): Promise<Client> {
  const found = await findHost(paths);
  if (found === null) {
    throw fail("no_orchestrator", undefined, { hint: "start one with `lightflow up`" });
  }
  return found;
}

const HOST_WAIT_MS = 5000;

/**
 * For commands that start a run: a running host, else the roles in this process. Two commands that begin at once end
 * up with one host: the second waits for the first one's socket. When that host ends before the second one's run, the
 * second takes its place; the runs are in the store.
 */
export async function connectOrHost(options: Omit<HostOptions, "listen" | "onStarted">): Promise<Client> {
  return replaceable(await connectOrHostOnce(options), {
    again: () => connectOrHostOnce(options),
    mayRepeat: () => true,
    // The first try may have come through: the same run is found again by its id and content.
    given: (name, input) => (name === "startRun" ? { ...input, idempotent: true } : input),
  });
}

async function connectOrHostOnce(options: Omit<HostOptions, "listen" | "onStarted">): Promise<Client> {
  const end = performance.now() + HOST_WAIT_MS;
  for (;;) {
    const found = await findHost(options.paths);
    if (found !== null) return found;
    try {
      const started = new Set<string>();
      const host = await openHost({ ...options, listen: null, onStarted: (run) => started.add(run) });
      // Without a runner its run would wait for ever.
      const failed = host.runner.then(() => NEVER);
      failed.catch(() => {});
      return {
        kind: "host",
        failed,
        call: localCall(host.context),
        async close(closing) {
          // Others may have started runs through this host: it lives until they have ended.
          if (closing?.abandon !== true) for (const run of started) await untilFinished(host.context, run);
          await host.stop();
        },
      };
    } catch (error) {
      const taken = error instanceof Failure && error.code === "conflict";
      if (!taken || performance.now() > end) throw error;
      await Bun.sleep(50);
    }
  }
}

async function untilFinished(context: Host["context"], run: string): Promise<void> {
  const wait = localCall(context);
  for (;;) {
    const { status } = await wait("waitRun", { run_id: run, wait_ms: 20_000 });
    if (isFinished(status)) return;
  }
}
