/** The thread that sends heartbeats; see `thread.ts`, which starts it. */
import { systemClock } from "../../base/clock.ts";
import type { LogLevel } from "../../base/log.ts";
import { pause } from "../../base/pause.ts";
import type { RegistrationAccepted } from "../../protocol/index.ts";
import { createClient } from "../wire/client.ts";
import { fetchWith } from "../wire/tls.ts";
import { type RunnerState, runHeartbeat } from "./loop.ts";
import type { FromHeartbeat, ToHeartbeat } from "./messages.ts";

declare const self: Worker;

/** How long a heartbeat waits for what the runner says of itself, when it has said something before. */
const ANSWER_MS = 50;
const STALLED_MS = 2_000;

const say = (message: FromHeartbeat): void => postMessage(message);
const at =
  (level: LogLevel) =>
  (message: string, facts: Record<string, unknown> = {}) =>
    say({ type: "log", level, message, facts });

let state: RunnerState | null = null;
let session: RegistrationAccepted | null = null;
/** When the oldest question was asked that has no answer yet. */
let unanswered: number | null = null;
let wake = (): void => {};

const changed = (): Promise<void> =>
  new Promise((resolve) => {
    wake = resolve;
  });

async function describe(): Promise<RunnerState> {
  unanswered ??= performance.now();
  say({ type: "ask" });
  const over = new AbortController();
  const late = pause(ANSWER_MS, over.signal).then(() => "late");
  while (unanswered !== null) {
    if ((await Promise.race([changed(), late])) === "late" && state !== null) break;
    if (state === null) await changed();
  }
  over.abort();
  const stalled = unanswered !== null && performance.now() - unanswered > STALLED_MS;
  return stalled ? { ...state!, status: "unhealthy", watchdog: "stalled", freeSlots: 0 } : state!;
}

async function ensure(): Promise<RegistrationAccepted> {
  if (session === null) say({ type: "register" });
  while (session === null) await changed();
  return session;
}

self.onmessage = ({ data }: MessageEvent<ToHeartbeat>) => {
  if (data.type === "start") {
    void runHeartbeat({
      client: createClient(data.controllerUrl, fetchWith(data.tls)),
      session: {
        current: null,
        ensure,
        lost(sessionId) {
          if (session?.sessionId === sessionId) session = null;
          say({ type: "lost", sessionId });
        },
      },
      describe,
      onDirective: (directive, current) => say({ type: "directive", directive, session: current }),
      onBeat: () => say({ type: "beat" }),
      clock: systemClock,
      log: { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") },
      random: Math.random,
      signal: new AbortController().signal,
    });
    return;
  }
  if (data.type === "state") {
    state = data.state;
    unanswered = null;
  }
  // One that was lost meanwhile comes back with a newer one behind it.
  session = data.session ?? session;
  wake();
};
