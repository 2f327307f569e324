import { mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { createLog, type LogLevel } from "../../src/base/log.ts";
import { Engine } from "../exchange/engine.ts";
import { Host } from "../exchange/host.ts";
import { ExchangeStore } from "../exchange/store/store.ts";
import { planRequest } from "../exchange/surfaces/plan.ts";
import { makeRoot } from "../tree/root.ts";
import { DirectoryProjection } from "./projection.ts";

export interface DirectoryOptions {
  readonly dir: string;
  /** Holds `cortexfs.db`; one daemon at a time. */
  readonly stateDir: string;
  readonly logLevel?: LogLevel;
  /** Called once files can be read. */
  readonly onReady?: (info: { dir: string; pid: number }) => void;
}

/**
 * Serve the tree as a plain directory until the signal aborts: the same exchange as behind a mount, for hosts without
 * FUSE. It serves the user who runs it; the directory stays when it ends.
 */
export async function serveDirectory(options: DirectoryOptions, signal: AbortSignal): Promise<void> {
  const log = createLog(options.logLevel ?? "info");
  mkdirSync(options.dir, { recursive: true, mode: 0o755 });
  const path = realpathSync(options.dir);
  const store: ExchangeStore = new ExchangeStore(join(options.stateDir, "cortexfs.db"), () =>
    setImmediate(() => store.flush()),
  );
  const host: Host = new Host({ env: process.env, emit: (event) => engine.deliver(event) });
  const owner = { uid: process.geteuid!(), gid: process.getegid!() };
  let projection: DirectoryProjection | undefined;
  const engine = new Engine({
    store,
    clock: systemClock,
    log,
    env: process.env,
    send: (message) => host.handle(message),
    changed: (changed) => projection?.changed(changed),
    planner: planRequest,
  });
  engine.addHome(owner.uid, owner.gid);
  const { root } = makeRoot(engine, owner);
  engine.recover();
  store.flush();
  projection = new DirectoryProjection(root, path, { ...owner, pid: process.pid }, log);
  await projection.start();
  options.onReady?.({ dir: path, pid: process.pid });
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  host.stop();
  projection.close();
  store.close();
}
