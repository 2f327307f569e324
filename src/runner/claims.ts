import { type Failure, toFailure } from "../base/errors.ts";
import { newId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { pause } from "../base/pause.ts";
import { Lease, type RegistrationAccepted, ROUTES } from "../protocol/index.ts";
import { createBackoff } from "./wire/backoff.ts";
import { type Client, isSessionLost, isTransient } from "./wire/client.ts";
import type { Session } from "./wire/session.ts";

export interface ClaimOptions {
  readonly client: Client;
  readonly session: Session;
  readonly runnerId: string;
  /** Slots that hold no task. */
  readonly freeSlots: () => number;
  /** Why no work is wanted at the moment, or null. */
  readonly pausedBecause: () => string | null;
  /** Takes the lease into a slot before it returns. */
  readonly onLease: (lease: Lease, session: RegistrationAccepted) => void;
  readonly log: Log;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** How long a runner that may not work looks again. */
const PAUSED_MS = 1_000;

/**
 * Keeps claims waiting at the controller, never more than there are free slots. One is enough while there is
 * nothing to do; each lease doubles the number, so that a full queue fills all slots within a few round trips, and
 * an empty answer brings it back to one.
 */
export class ClaimLoop {
  readonly #options: ClaimOptions;
  #wanted = 1;
  #waiting = 0;
  #wake: (() => void) | null = null;

  constructor(options: ClaimOptions) {
    this.#options = options;
    options.signal.addEventListener("abort", () => this.slotFreed(), { once: true });
  }

  /** To be called when a slot becomes free. */
  slotFreed(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  /** Runs until the signal aborts. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      if (this.#options.pausedBecause() !== null) {
        await pause(PAUSED_MS, signal);
        continue;
      }
      // A claim that waits already holds the slot that its lease will need.
      while (this.#waiting < Math.min(this.#wanted, this.#options.freeSlots()) && !signal.aborted) {
        this.#waiting++;
        void this.#claim().finally(() => {
          this.#waiting--;
          this.slotFreed();
        });
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async #claim(): Promise<void> {
    const { client, session, runnerId, signal, log } = this.#options;
    const backoff = createBackoff(250, 8_000, this.#options.random);
    let messageId = newId();
    let last: Failure | null = null;
    while (!signal.aborted && this.#options.pausedBecause() === null) {
      let current: RegistrationAccepted | null = null;
      try {
        current = await session.ensure();
        const answer = await client.callOrEmpty({
          path: ROUTES.claim,
          token: current.claimToken,
          // The same id after a lost answer brings the same lease instead of a second one.
          body: {
            messageId,
            runnerId,
            sessionId: current.sessionId,
            freeSlots: Math.max(1, this.#options.freeSlots()),
            waitMs: LIMITS.claimWaitMs,
          },
          answer: Lease,
          timeoutMs: LIMITS.claimWaitMs + 10_000,
          signal,
        });
        if ("retryAfterMs" in answer) {
          this.#wanted = 1;
          return;
        }
        this.#wanted = Math.min(this.#wanted * 2, 1024);
        this.#options.onLease(answer, current);
        return;
      } catch (error) {
        if (signal.aborted) return;
        const failure = toFailure(error);
        if (failure.code !== last?.code)
          log.warn("no claim", { code: failure.code, reason: failure.message });
        last = failure;
        if (current !== null && isSessionLost(failure)) session.lost(current.sessionId);
        if (!isTransient(failure)) messageId = newId();
        await pause(backoff.next(), signal);
      }
    }
  }
}
