import { fail } from "../base/errors.ts";
import { openGit } from "../base/git.ts";
import type { Json } from "../base/json.ts";
import type { ActionContext } from "./child.ts";
import { absolutePath, onlyKnows, plainName } from "./given.ts";
import { commitPatch } from "./patch-commit.ts";

/**
 * Put a patch, by its digest, on a branch of its own in a repository. Nothing is checked out and no hook runs. A second
 * attempt finds the very branch that the first one made.
 * @throws Failure `conflict` where the branch is there and is another one, or the patch does not fit
 */
export async function branch(context: ActionContext): Promise<Json> {
  const { given, say } = context;
  onlyKnows(given, "repository", "base", "branch", "patch", "message");
  const name = plainName(given, "branch");
  const git = openGit(absolutePath(given, "repository"));
  try {
    await git.run(["check-ref-format", `refs/heads/${name}`]);
    const { commit, base } = await commitPatch(context, git);
    const reference = `refs/heads/${name}`;
    const made = await git.attempt(["update-ref", reference, commit, "0".repeat(commit.length)]);
    if (made.code !== 0) {
      const found = (await git.attempt(["rev-parse", "--verify", "--quiet", reference])).out;
      if (found !== commit) throw fail("conflict", `the branch ${name} is there and holds something else`);
      say(`the branch ${name} was made before`);
    } else say(`${name} is ${commit}`);
    return { branch: name, commit, base };
  } finally {
    git.close();
  }
}
