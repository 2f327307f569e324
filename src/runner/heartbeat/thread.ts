import { fail } from "../../base/errors.ts";
import type { ClientTls } from "../wire/tls.ts";
import type { HeartbeatOptions } from "./loop.ts";
import type { FromHeartbeat, ToHeartbeat } from "./messages.ts";

/** In the executable it is an entry point of its own, under the name that the build gives it. */
function workerUrl(): string | URL {
  const here = import.meta.url;
  if (here.includes("/$bunfs/")) return "/$bunfs/root/src/runner/heartbeat/worker-entry.js";
  return new URL("./worker-entry.ts", here);
}

/**
 * The heartbeat on a thread of its own: starting processes and syncing the journal hold up the event loop for as long as
 * the machine is busy, and a runner that is busy must not look like one that is gone. What it says is asked of the
 * runner's own thread each time; when that does not answer, the last word of it counts, and after two seconds that
 * silence is what the heartbeat reports. Runs until the signal aborts.
 * @throws Failure `internal` when the thread ends by itself
 */
export function runHeartbeatThread(
  options: Omit<HeartbeatOptions, "client" | "clock" | "random"> & {
    readonly controllerUrl: string;
    readonly tls: ClientTls;
  },
): Promise<void> {
  const { session, log, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return resolve();
    const worker = new Worker(workerUrl(), { smol: true });
    const say = (message: ToHeartbeat): void => worker.postMessage(message);
    const end = () => {
      worker.terminate();
      resolve();
    };
    signal.addEventListener("abort", end, { once: true });
    worker.onerror = ({ message }) => {
      signal.removeEventListener("abort", end);
      worker.terminate();
      reject(fail("internal", `the thread of the heartbeat ended: ${message}`));
    };
    worker.onmessage = ({ data }: MessageEvent<FromHeartbeat>) => {
      if (signal.aborted) return;
      if (data.type === "ask") {
        void options.describe().then((state) => say({ type: "state", state, session: session.current }));
      } else if (data.type === "register") {
        session.ensure().then(
          (current) => say({ type: "session", session: current }),
          // Only a runner that ends is not registered again.
          () => {},
        );
      } else if (data.type === "lost") session.lost(data.sessionId);
      else if (data.type === "directive") options.onDirective(data.directive, data.session);
      else if (data.type === "beat") options.onBeat();
      else log[data.level](data.message, data.facts);
    };
    say({ type: "start", controllerUrl: options.controllerUrl, tls: options.tls });
  });
}
