import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fail } from "../base/errors.ts";
import { openGit } from "../base/git.ts";
import type { Json } from "../base/json.ts";
import type { ActionContext } from "./child.ts";
import { absolutePath, givenArtifacts, onlyKnows, plainName, text } from "./given.ts";

const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
const NAME = "lightflow";
const ADDRESS = "repair@lightflow.invalid";

/**
 * Put a patch, by its digest, on a branch of its own in a repository. Nothing is checked out and no hook runs: the patch goes
 * from the index into objects. The commit's bytes follow from base, patch and message alone, so that a second attempt finds
 * the very branch that the first one made.
 * @throws Failure `conflict` where the branch is there and is another one, or the patch does not fit
 */
export async function branch(context: ActionContext): Promise<Json> {
  const { given, say } = context;
  onlyKnows(given, "repository", "base", "branch", "patch", "message");
  const repository = absolutePath(given, "repository");
  const name = plainName(given, "branch");
  const base = text(given, "base");
  const message = text(given, "message", "repair");
  if (!COMMIT.test(base)) throw fail("invalid_request", `${base} is not a commit id`);
  const sha256 = text(given, "patch").replace(/^sha256:/, "");
  const [patch] = givenArtifacts(
    { ...context, given: { patch: [{ name: "changes.patch", sha256 }] } },
    "patch",
  );
  const scratch = mkdtempSync(join(tmpdir(), "branch-"));
  const git = openGit(repository);
  try {
    await git.run(["check-ref-format", `refs/heads/${name}`]);
    if ((await git.attempt(["cat-file", "-e", `${base}^{commit}`])).code !== 0)
      throw fail("not_found", `the repository ${repository} has no commit ${base}`);
    const index = { GIT_INDEX_FILE: join(scratch, "index") };
    await git.run(["read-tree", base], { env: index });
    try {
      await git.run(["apply", "--cached", "--whitespace=nowarn", "-"], { input: patch!.bytes, env: index });
    } catch (error) {
      throw fail("conflict", `the patch does not fit ${base}: ${(error as Error).message}`);
    }
    const tree = await git.run(["write-tree"], { env: index });
    const date = `${await git.run(["show", "-s", "--format=%ct", base])} +0000`;
    const commit = await git.run(
      ["commit-tree", tree, "-p", base, "-m", message, "-m", `Patch: sha256:${sha256}`],
      {
        env: {
          GIT_AUTHOR_NAME: NAME,
          GIT_AUTHOR_EMAIL: ADDRESS,
          GIT_AUTHOR_DATE: date,
          GIT_COMMITTER_NAME: NAME,
          GIT_COMMITTER_EMAIL: ADDRESS,
          GIT_COMMITTER_DATE: date,
        },
      },
    );
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
    rmSync(scratch, { recursive: true, force: true });
  }
}
