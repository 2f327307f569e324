import { systemClock } from "../base/clock.ts";
import { fail, toFailure } from "../base/errors.ts";
import type { Listening } from "../base/listen.ts";
import type { Log } from "../base/log.ts";
import type { Paths } from "../base/xdg.ts";
import { createController, handleRunner, serveController } from "../controller/index.ts";
import { type ListenOptions, listenGateway, listenSocket } from "../gateway/index.ts";
import { type CallOptions, Orchestrator } from "../orchestrator/index.ts";
import type { RunningRunner } from "../runner/index.ts";
import { openSecrets } from "../secrets/index.ts";
import type { ServiceContext } from "../service/index.ts";
import { tryLock } from "../store/host-lock.ts";
import { type LocalRunnerOptions, startLocalRunner } from "./local-runner.ts";
import { hostLockPath, openParts, serviceContext } from "./parts.ts";
import { probeSocket, socketPath } from "./probe.ts";

export interface HostOptions {
  readonly paths: Paths;
  readonly log: Log;
  readonly root: string;
  /** Null for a host that only lives for its own runs: no TCP port at all. */
  readonly listen: (ListenOptions & { readonly controllerPort: number }) | null;
  /** Null for a host whose runners are all elsewhere. */
  readonly runner: LocalRunnerOptions | null;
  readonly onStarted?: (runId: string) => void;
  /** Days after which the history of a run that has ended becomes an artifact; 0 for never. */
  readonly historyDays?: number;
  /** Where the calls of workflows may go; the public Internet where nothing is said. */
  readonly calls?: CallOptions;
}

export type HostCalls = CallOptions;
export type HostRunner = LocalRunnerOptions;

export interface Host {
  readonly context: ServiceContext;
  readonly gatewayUrl: string | null;
  readonly controllerUrl: string | null;
  readonly socket: string | null;
  /** Resolves when the local runner has registered; to null where there is none. */
  readonly runner: Promise<RunningRunner | null>;
  stop(): Promise<void>;
}

/**
 * All roles in one process over one store: orchestrator, controller, one local runner, the gateway. One host a store: a
 * lock that dies with the process decides.
 * @throws Failure `conflict` when another host has the store, `io` when a port or directory cannot be used
 */
export async function openHost(options: HostOptions): Promise<Host> {
  const { paths, log } = options;
  const opened: (() => void | Promise<void>)[] = [];
  const stop = async () => {
    for (const close of opened.reverse().splice(0)) await close();
  };
  try {
    const parts = openParts(paths, log);
    opened.push(() => parts.close());
    const unlock = tryLock(hostLockPath(paths));
    if (unlock === null) {
      throw fail("conflict", `another lightflow host works on ${paths.state}`, {
        hint: "use it (every command finds it by itself), or stop it first",
      });
    }
    opened.push(unlock);

    const controller = await createController({ ...parts, clock: systemClock });
    opened.push(() => controller.stop());
    let controllerServer: Listening | null = null;
    if (options.listen !== null) {
      controllerServer = serveController(
        controller,
        options.listen.host,
        options.listen.controllerPort,
        "--controller-port",
      );
      opened.push(() => controllerServer!.stop());
    }

    const orchestrator = new Orchestrator({
      ...parts,
      clock: systemClock,
      removeSpool: (target) => parts.spool.remove(target),
      ...(options.historyDays === undefined ? {} : { historyDays: options.historyDays }),
      calls: { secrets: openSecrets(parts.store, paths.state), ...options.calls },
    });
    opened.push(() => orchestrator.stop());
    controller.acceptance = orchestrator.acceptance;
    const context = serviceContext(parts, {
      root: options.root,
      trustsPaths: false,
      orchestration: orchestrator,
      ...(options.onStarted === undefined ? {} : { onStarted: options.onStarted }),
    });

    const socket = await openSocket(options, context);
    if (socket !== null) opened.push(() => socket.stop());
    let gateway: Listening | null = null;
    if (options.listen !== null) {
      gateway = listenGateway(context, options.listen);
      opened.push(() => gateway!.stop());
    }

    // The runner comes last and in the background: it proves its sandboxes by trying them, which takes a while.
    const url = controllerServer?.url ?? "http://localhost";
    const runner =
      options.runner === null
        ? Promise.resolve(null)
        : startLocalRunner(parts, options.runner, url, (request) => handleRunner(controller, request));
    runner.catch((error: unknown) => {
      const { code, message: reason, hint } = toFailure(error);
      log.error("the local runner could not start", { code, reason, hint });
    });
    opened.push(async () => {
      const running = await runner.catch(() => null);
      await running?.stop({ drain: true });
    });
    return {
      context: { ...context, trustsPaths: true },
      gatewayUrl: gateway?.url ?? null,
      controllerUrl: controllerServer?.url ?? null,
      socket: socket === null ? null : socketPath(paths),
      runner,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The API socket, unless a living host of another store has it. */
async function openSocket(options: HostOptions, context: ServiceContext): Promise<Listening | null> {
  const path = socketPath(options.paths);
  const other = await probeSocket(path);
  if (other === null) return listenSocket(context, path);
  if (options.listen === null) return null;
  throw fail("conflict", `${path} belongs to a host that works on ${other.state}`, {
    hint: "set XDG_RUNTIME_DIR to another directory, or stop that host",
  });
}
