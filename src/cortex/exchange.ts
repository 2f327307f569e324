import { access, rm } from "node:fs/promises";
import { join } from "node:path";
import { Failure, fail } from "../base/errors.ts";
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
  await mustServe(target);
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

/**
 * A missing inbox is made by a commit. Where nothing is mounted, and the user may write, that would be plain directories in
 * which a request waits for ever: a tree without this inbox must say what it is.
 */
async function mustServe({ target, inbox_dir }: RequestTarget): Promise<void> {
  // `home/<uid>/{api,thread}/<name>/inbox` and `tool/<id>/invoke/inbox` are below it.
  const mount = join(inbox_dir, target.kind === "tool" ? "../../../.." : "../../../../..");
  try {
    await access(inbox_dir).catch(() => access(join(mount, "status")));
  } catch (error) {
    throw fail("unavailable", `no CortexFS serves ${mount}`, {
      hint: "start it with `lightflow ctx mount`, or set LIGHTFLOW_CTX_MOUNT",
      cause: error,
    });
  }
}
