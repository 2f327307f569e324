import { existsSync } from "node:fs";
import { fail } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Paths } from "../base/xdg.ts";
import { callOperation, type OutputOf, type ServiceName, service } from "../service/index.ts";
import { type Host, type HostOptions, openHost } from "./host.ts";
import { openParts, serviceContext, socketPath, storePath } from "./parts.ts";
import { callSocket, probeSocket } from "./socket.ts";

/** How a command reaches the service: a running host's socket, roles of its own, or just the store. */
export interface Client {
  readonly kind: "socket" | "host" | "store";
  call<Name extends ServiceName>(
    name: Name,
    input: Record<string, unknown>,
    signal?: AbortSignal,
  ): Promise<OutputOf<Name>>;
  close(): Promise<void>;
}

function socketClient(path: string): Client {
  return {
    kind: "socket",
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

/** For commands that only look: a running host, else the store itself. */
export async function connectToRead(paths: Paths, log: Log, root: string): Promise<Client> {
  const found = await findHost(paths);
  if (found !== null) return found;
  if (!existsSync(storePath(paths))) {
    throw fail("not_found", "there are no runs yet", { hint: "start one: lightflow run start WORKFLOW" });
  }
  const parts = openParts(paths, log);
  const context = serviceContext(parts, { root, trustsPaths: true, orchestration: null });
  return { kind: "store", call: localCall(context), close: () => parts.close() };
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
 * up with one host: the second waits for the first one's socket.
 */
export async function connectOrHost(options: Omit<HostOptions, "listen">): Promise<Client> {
  const end = performance.now() + HOST_WAIT_MS;
  for (;;) {
    const found = await findHost(options.paths);
    if (found !== null) return found;
    try {
      const host = await openHost({ ...options, listen: null });
      return { kind: "host", call: localCall(host.context), close: () => host.stop() };
    } catch (error) {
      const taken = error instanceof Error && "code" in error && error.code === "conflict";
      if (!taken || performance.now() > end) throw error;
      await Bun.sleep(50);
    }
  }
}
