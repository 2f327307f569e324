/**
 * The thread that serves a mount: FUSE loop, tree, exchange and its database. It is an entrypoint of its own, because
 * the compiled binary embeds workers only as such. The main thread keeps the event loop: provider calls, tools, signals.
 */
import { systemClock } from "../src/base/clock.ts";
import { toFailure } from "../src/base/errors.ts";
import { createLog } from "../src/base/log.ts";
import { Engine } from "./exchange/engine.ts";
import { failureData } from "./exchange/host.ts";
import { ExchangeStore } from "./exchange/store/store.ts";
import { planRequest } from "./exchange/surfaces/plan.ts";
import { serveMount } from "./fuse/loop.ts";
import { makeRoot } from "./tree/root.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./worker-messages.ts";

declare const self: Worker & { onmessage: ((event: MessageEvent<ToWorker>) => void) | null };

const post = (message: FromWorker): void => self.postMessage(message);
let engine: Engine | undefined;

self.onmessage = ({ data }) => {
  if (data.type === "event") engine?.deliver(data.event);
  else
    start(data).catch((error: unknown) => post({ type: "failed", failure: failureData(toFailure(error)) }));
};

async function start(options: WorkerStart): Promise<void> {
  const log = createLog(options.logLevel, (line) => post({ type: "log", line }));
  const store = new ExchangeStore(options.database);
  engine = new Engine({
    store,
    clock: systemClock,
    log,
    env: options.env,
    send: (message) => post({ type: "host", message }),
    changed: () => {},
    planner: planRequest,
  });
  const { root, space } = makeRoot(engine, options.owner);
  engine.recover();
  store.flush();
  post({ type: "ready" });
  try {
    await serveMount(root, {
      fuseDescriptor: options.fuseDescriptor,
      eventDescriptor: options.eventDescriptor,
      queued: () => store.urgent,
      idle: () => store.flush(),
      fixedTtlMs: options.fixedTtlMs,
      space,
      log,
    });
  } finally {
    store.close();
  }
  post({ type: "ended" });
}
