import type { Clock } from "../../base/clock.ts";
import { type Failure, toFailure } from "../../base/errors.ts";
import { pause } from "../../base/pause.ts";
import type { Lease, LeaseState } from "../../protocol/index.ts";
import type { Reporter } from "./reporter.ts";

/** A lease that asked for renewals without a pause would keep both sides busy with nothing else. */
const MINIMUM_RENEW_MS = 50;

/** Keep a lease alive until the signal aborts, or the controller refuses: it is asked no more then. */
export async function renewLease(
  { renewIntervalMs }: Pick<Lease, "renewIntervalMs">,
  reporter: Pick<Reporter, "renew">,
  clock: Pick<Clock, "monotonic">,
  signal: AbortSignal,
  on: {
    /** @param sentAt on the monotonic clock */
    granted(state: LeaseState, sentAt: number): void;
    refused(failure: Failure): void;
  },
): Promise<void> {
  while (!signal.aborted) {
    await pause(Math.max(MINIMUM_RENEW_MS, renewIntervalMs), signal);
    if (signal.aborted) return;
    const sentAt = clock.monotonic();
    try {
      on.granted(await reporter.renew(signal), sentAt);
    } catch (error) {
      if (!signal.aborted) on.refused(toFailure(error));
      return;
    }
  }
}
