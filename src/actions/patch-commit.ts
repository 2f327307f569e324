import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fail } from "../base/errors.ts";
import type { Git } from "../base/git.ts";
import type { ActionContext } from "./child.ts";
import { givenArtifacts, text } from "./given.ts";

const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
const NAME = "lightflow";
const ADDRESS = "repair@lightflow.invalid";

export interface PatchCommit {
  readonly base: string;
  readonly commit: string;
  /** Of the patch, in hexadecimal. */
  readonly sha256: string;
}

/**
 * The patch that the action is given, by its digest, as a commit on its base. Nothing is checked out: it goes from an index
 * into objects. The commit's bytes follow from base, patch and message alone, so that whoever makes it again makes the same.
 * @param git of a repository that has the base
 * @throws Failure `conflict` where the patch does not fit, `not_found`, `artifact_digest_mismatch`
 */
export async function commitPatch(context: ActionContext, git: Git): Promise<PatchCommit> {
  const { given } = context;
  const base = text(given, "base");
  const message = text(given, "message", "repair");
  if (!COMMIT.test(base)) throw fail("invalid_request", `${base} is not a commit id`);
  const sha256 = text(given, "patch").replace(/^sha256:/, "");
  const [patch] = givenArtifacts(
    { ...context, given: { patch: [{ name: "changes.patch", sha256 }] } },
    "patch",
  );
  if ((await git.attempt(["cat-file", "-e", `${base}^{commit}`])).code !== 0)
    throw fail("not_found", `the repository has no commit ${base}`);
  const scratch = mkdtempSync(join(tmpdir(), "patch-"));
  try {
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
    return { base, commit, sha256 };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
