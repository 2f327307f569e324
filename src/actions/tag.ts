import { fail } from "../base/errors.ts";
import { openGit } from "../base/git.ts";
import type { Json } from "../base/json.ts";
import type { ActionContext } from "./child.ts";
import { absolutePath, onlyKnows, plainName, text } from "./given.ts";

const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
const TAGGER = "lightflow <release@lightflow.invalid>";

/**
 * Put an annotated tag on a commit of a repository. Its bytes follow from commit, name and message alone (the time is that of
 * the commit), so that a second attempt finds the very tag that the first one made.
 * @throws Failure `conflict` where the tag names something else
 */
export async function tag({ given, say }: ActionContext): Promise<Json> {
  onlyKnows(given, "repository", "tag", "commit", "message");
  const repository = absolutePath(given, "repository");
  const name = plainName(given, "tag");
  const commit = text(given, "commit");
  const message = text(given, "message", name);
  if (!COMMIT.test(commit)) throw fail("invalid_request", `${commit} is not a commit id`);
  const git = openGit(repository);
  if ((await git.attempt(["cat-file", "-e", `${commit}^{commit}`])).code !== 0)
    throw fail("not_found", `the repository ${repository} has no commit ${commit}`);
  await git.run(["check-ref-format", `refs/tags/${name}`]);
  const time = await git.run(["show", "-s", "--format=%ct", commit]);
  const object = await git.run(["hash-object", "-t", "tag", "-w", "--stdin"], {
    input: `object ${commit}\ntype commit\ntag ${name}\ntagger ${TAGGER} ${time} +0000\n\n${message.trim()}\n`,
  });
  const reference = `refs/tags/${name}`;
  // Only where there is none: the old value is compared in the same step.
  const made = await git.attempt(["update-ref", reference, object, "0".repeat(commit.length)]);
  if (made.code !== 0) {
    const found = (await git.attempt(["rev-parse", "--verify", "--quiet", reference])).out;
    if (found !== object)
      throw fail("conflict", `the tag ${name} is there and names something else`, {
        hint: "a tag of a release never moves: release another version",
      });
    say(`the tag ${name} was made before`);
  } else say(`tagged ${commit} as ${name}`);
  return { tag: name, object, commit };
}
