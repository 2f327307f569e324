import { fail } from "../base/errors.ts";
import type { Json, JsonObject } from "../base/json.ts";
import type { ActionContext } from "./child.ts";
import { createPull, type Forge, findPull, forgeOf, NoAnswer, type Pull } from "./forge.ts";
import { onlyKnows, plainName, text } from "./given.ts";
import { pushPatch, remoteOf } from "./push.ts";

const TRIES = 3;
const FIRST_PAUSE_MS = 250;

/**
 * Push a patch, by its digest, as a branch of its own, and open a pull request for it. Both are looked up first, by the
 * branch and the task's key, so that a repeat finds what an earlier attempt has made; after an answer that did not come it is
 * looked up what stands. The token is in this action's sandbox alone.
 * @throws Failure `conflict` where branch or pull request are somebody else's, `execution_outcome_unknown`
 */
export async function pullRequest(context: ActionContext): Promise<Json> {
  const { given, env, idempotencyKey, say } = context;
  onlyKnows(
    given,
    ...["api", "project", "remote", "repository", "base", "into", "branch", "patch"],
    ...["message", "title", "body"],
  );
  const forge = forgeOf(given, env["FORGE_TOKEN"]);
  const remote = remoteOf(context, forge.token);
  const head = plainName(given, "branch");
  const into = plainName(given, "into");
  const title = text(given, "title");
  const key = `Lightflow-Key: ${idempotencyKey}`;
  const own = (pull: Pull): Pull => {
    if (pull.body.includes(key)) return pull;
    throw fail("conflict", `the pull request ${pull.number} of the branch ${head} is somebody else's`, {
      details: { url: pull.url },
    });
  };
  const before = await tried(() => findPull(forge, head, into), "unavailable");
  if (before !== null) {
    own(before);
    say(`the pull request ${before.number} was opened before`);
    return answer(before);
  }
  const { commit, sha256 } = await pushPatch(context, remote, head);
  say(`pushed ${commit} as ${head}`);
  const body = [text(given, "body", title), `${key}\nPatch: sha256:${sha256}`].join("\n\n");
  const made = await opened(forge, { title, body, head, base: into });
  say(`opened the pull request ${made.number}`);
  return answer(own(made));
}

/** What stands at the forge: how an operator, or a workflow, finds out what became of an attempt nobody knows about. */
export async function inspectPull({ given, env }: ActionContext): Promise<Json> {
  onlyKnows(given, "api", "project", "into", "branch");
  const forge = forgeOf(given, env["FORGE_TOKEN"]);
  const find = () => findPull(forge, plainName(given, "branch"), plainName(given, "into"));
  const pull = await tried(find, "unavailable");
  return pull === null ? { state: "absent" } : answer(pull);
}

async function opened(
  forge: Forge,
  asked: { title: string; body: string; head: string; base: string },
): Promise<Pull> {
  let why = "";
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    let lost = false;
    try {
      const made = await createPull(forge, asked);
      if (made !== null) return made;
      why = "it refuses it";
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      lost = true;
      why = error.message;
    }
    // Whatever the forge said, or did not say: what stands is what counts.
    const found = await tried(() => findPull(forge, asked.head, asked.base), "execution_outcome_unknown");
    if (found !== null) return found;
    if (!lost) break;
    await Bun.sleep(FIRST_PAUSE_MS * 2 ** attempt);
  }
  throw fail("unavailable", `the forge opens no pull request of ${forge.project}: ${why}`, {
    hint: "none stands: the step may be tried again",
  });
}

/** @param otherwise the code where nobody answers: what was not begun is not unknown */
async function tried<T>(
  work: () => Promise<T>,
  otherwise: "unavailable" | "execution_outcome_unknown",
): Promise<T> {
  let why = "";
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      why = error.message;
      if (attempt < TRIES) await Bun.sleep(FIRST_PAUSE_MS * 2 ** attempt);
    }
  }
  throw fail(otherwise, `the forge does not say which pull requests there are: ${why}`);
}

const answer = ({ number, url, state, head, commit }: Pull): JsonObject => ({
  number,
  url,
  state,
  branch: head,
  commit,
});
