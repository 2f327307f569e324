import { rm } from "node:fs/promises";
import { Failure } from "../base/errors.ts";
import { type Outcome, readOutcome, waitForOutcome } from "./outcome.ts";
import type { RequestTarget } from "./paths.ts";
import { submit } from "./submit.ts";

/**
 * One exchange under an id of its own: one that is known is answered from its outcome, one that is in flight is waited for,
 * and it is never made twice. When the signal ends the waiting, the request is taken back.
 * @param sent told before anything leaves, and again with false when it is known that nothing did
 */
export async function exchangeOnce(
  target: RequestTarget,
  body: string,
  signal: AbortSignal,
  sent: (possible: boolean) => void = () => {},
): Promise<Outcome> {
  const known = await readOutcome(target);
  if (known.state !== "pending") return known;
  sent(true);
  try {
    await submit(target, body);
  } catch (error) {
    // In flight already: this call's own request, from before a restart.
    if (!(error instanceof Failure) || error.code !== "conflict") {
      sent(false);
      throw error;
    }
  }
  try {
    return await waitForOutcome(target, { signal });
  } catch (error) {
    // Nobody waits any more: taking the request back cancels it.
    if (signal.aborted) await rm(target.commit_request, { force: true }).catch(() => {});
    throw error;
  }
}
