import { type Clock, isoTime } from "../../base/clock.ts";
import { toFailure } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { Log } from "../../base/log.ts";
import { pause } from "../../base/pause.ts";
import {
  type Directive,
  type Heartbeat,
  HeartbeatAnswer,
  type RegistrationAccepted,
  ROUTES,
} from "../../protocol/index.ts";
import { createBackoff } from "../wire/backoff.ts";
import { type Client, isSessionLost } from "../wire/client.ts";
import type { Session } from "../wire/session.ts";

/** What the runner says of itself. */
export type RunnerState = Omit<Heartbeat, "messageId" | "sessionId" | "timestamp" | "waitMs">;

export interface HeartbeatOptions {
  readonly client: Client;
  readonly session: Pick<Session, "current" | "ensure" | "lost">;
  readonly describe: () => Promise<RunnerState>;
  readonly onDirective: (directive: Directive, session: RegistrationAccepted) => void;
  /** The controller has answered one. */
  readonly onBeat: () => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** Between a heartbeat that brought directives and the next one: they are repeated until they are carried out. */
const AFTER_DIRECTIVE_MS = 500;

/**
 * One heartbeat after the other, each held by the controller for the interval, so that a cancel comes at once.
 * Runs until the signal aborts.
 */
export async function runHeartbeat(options: HeartbeatOptions): Promise<void> {
  const { client, session, clock, log, signal } = options;
  const backoff = createBackoff(250, 8_000, options.random);
  let lastCode: string | null = null;
  while (!signal.aborted) {
    let current: RegistrationAccepted | null = null;
    try {
      const state = await options.describe();
      current = await session.ensure();
      const interval = current.heartbeatIntervalMs;
      const begun = clock.monotonic();
      const answer = await client.call({
        path: ROUTES.heartbeat,
        token: current.heartbeatToken,
        body: {
          ...state,
          messageId: newId(),
          sessionId: current.sessionId,
          timestamp: isoTime(clock.wall()),
          waitMs: interval,
        },
        answer: HeartbeatAnswer,
        timeoutMs: interval + 10_000,
        signal,
      });
      backoff.reset();
      options.onBeat();
      lastCode = null;
      for (const directive of answer.directives) options.onDirective(directive, current);
      const rest = interval - (clock.monotonic() - begun);
      if (answer.directives.length > 0) await pause(Math.min(AFTER_DIRECTIVE_MS, interval), signal);
      else if (rest > 0) await pause(rest, signal);
    } catch (error) {
      if (signal.aborted) return;
      const failure = toFailure(error);
      if (failure.code !== lastCode)
        log.warn("no heartbeat", { code: failure.code, reason: failure.message });
      lastCode = failure.code;
      if (current !== null && isSessionLost(failure)) session.lost(current.sessionId);
      await pause(backoff.next(), signal);
    }
  }
}
