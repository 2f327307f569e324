import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../../base/canonical.ts";
import { fail } from "../../base/errors.ts";
import { openGit } from "../../base/git.ts";
import { protectedBy } from "./protected.ts";

export interface Changes {
  /** Paths, each once. */
  readonly files: readonly string[];
  /** Empty where nothing was changed. */
  readonly patch: Uint8Array<ArrayBuffer>;
}

const REGULAR = "100644";
const EXECUTABLE = "100755";
const NONE = "000000";
const MAXIMUM = 1000;

const denied = (why: string, path: string) => fail("workspace_change_denied", why, { details: { path } });

/**
 * What an agent changed, found out on the trusted side: both trees are read into a fresh repository that has no hooks, no
 * filters and no configuration of theirs, and the patch is the difference of the two. The agent's own word, and its own
 * repository, count for nothing.
 * @param base the files as they were given, which the sandbox never saw
 * @param work the files as they are now
 * @throws Failure `workspace_change_denied` for a protected path, a link, a mode, a repository within
 */
export async function changesOf(
  base: string,
  work: string,
  protectedPaths: readonly string[],
  scratch: string,
): Promise<Changes> {
  checkRepository(base, work);
  mkdirSync(scratch, { recursive: true, mode: 0o700 });
  const repository = mkdtempSync(join(scratch, "diff-"));
  const git = openGit(repository, scratch);
  try {
    await git.run(["init", "--quiet", "--bare", "--template=", "."]);
    const tree = async (directory: string) => {
      const env = {
        GIT_DIR: repository,
        GIT_WORK_TREE: directory,
        GIT_INDEX_FILE: join(repository, `index-${sha256(directory)}`),
      };
      await git.run(["-c", "core.bare=false", "add", "--all", "--", directory], { env });
      return await git.run(["write-tree"], { env });
    };
    const before = await tree(base);
    const after = await tree(work).catch((error: Error) => {
      // A repository that is none yet, a name that is none: git says what.
      throw denied(`its files cannot be compared: ${error.message.replace(/^git \S+ failed: /, "")}`, ".");
    });
    const raw = await git.run(["diff-tree", "-r", "-z", "--raw", "--no-renames", before, after]);
    const files = checkChanges(raw, work, protectedPaths);
    const known = (await git.run(["ls-tree", "-r", "-z", "--name-only", after])).split("\0");
    checkAliases(files, known);
    const patch = await git.bytes([
      "diff-tree",
      "-r",
      "-p",
      "--binary",
      "--full-index",
      "--no-renames",
      "--no-ext-diff",
      "--no-textconv",
      before,
      after,
    ]);
    return { files, patch: new Uint8Array(patch) };
  } finally {
    git.close();
    rmSync(repository, { recursive: true, force: true });
  }
}

function checkChanges(raw: string, work: string, protectedPaths: readonly string[]): string[] {
  const parts = raw.split("\0").filter((part) => part !== "");
  const files: string[] = [];
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const [from = "", to = ""] = parts[at]!.slice(1).split(" ");
    const path = parts[at + 1]!;
    if (files.length >= MAXIMUM) throw denied(`more than ${MAXIMUM} files were changed`, path);
    const odd = oddName(path);
    if (odd !== null) throw denied(`${JSON.stringify(path)} ${odd}`, path);
    const by = protectedBy(path, protectedPaths);
    if (by !== null) throw denied(`${path} is protected (${by})`, path);
    if (![REGULAR, EXECUTABLE, NONE].includes(to))
      throw denied(`${path} is a link, or a repository of its own`, path);
    if (![REGULAR, EXECUTABLE, NONE].includes(from)) throw denied(`${path} was a link`, path);
    // What was not to be executed stays so.
    if (to === EXECUTABLE && from !== EXECUTABLE) throw denied(`${path} was made executable`, path);
    if (to !== NONE && lstatSync(join(work, path)).nlink > 1)
      throw denied(`${path} has another name as well`, path);
    files.push(path);
  }
  return files;
}

/** Why nobody should take a name for what it looks like, or null. */
function oddName(path: string): string | null {
  if (path.includes("\uFFFD")) return "is no name in UTF-8";
  if (/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(path)) return "has characters that nobody sees";
  // Elsewhere it is a short name of another file, such as that of `.github`.
  return path.split(/[/\\]/).some((name) => /^[^.~]{1,6}~[0-9]+(\.[^.]{0,3})?$/.test(name))
    ? "is a short name of another file elsewhere"
    : null;
}

/** One file system's two names are another one's single name. */
const alias = (path: string): string => path.normalize("NFKC").toLowerCase();

function checkAliases(changed: readonly string[], known: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const path of known) {
    const other = seen.get(alias(path));
    if (other !== undefined && (changed.includes(path) || changed.includes(other)))
      throw denied(`${path} and ${other} are the same name elsewhere`, path);
    seen.set(alias(path), path);
  }
}

/** What the repository of the workspace would do by itself is nobody's to change. */
const GUARDED = ["hooks", "config", "info", "modules"];

function checkRepository(base: string, work: string): void {
  const stat = lstatSync(join(work, ".git"), { throwIfNoEntry: false });
  const before = lstatSync(join(base, ".git"), { throwIfNoEntry: false });
  if (before === undefined && stat !== undefined) throw denied(".git was made", ".git");
  if (before === undefined) return;
  // A worktree has a file there, which names its repository.
  if (!before.isDirectory()) {
    if (stat === undefined || imageOf(join(base, ".git")) !== imageOf(join(work, ".git")))
      throw denied(".git was changed", ".git");
    return;
  }
  if (stat?.isDirectory() !== true) throw denied(".git was replaced", ".git");
  for (const name of GUARDED) {
    if (imageOf(join(base, ".git", name)) !== imageOf(join(work, ".git", name)))
      throw denied(`.git/${name} was changed`, `.git/${name}`);
  }
}

function imageOf(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return "";
  if (stat.isDirectory())
    return readdirSync(path)
      .sort()
      .map((name) => `${name}:${imageOf(join(path, name))}`)
      .join("\n");
  return `${stat.mode}:${stat.isFile() ? sha256(new Uint8Array(readFileSync(path))) : "other"}`;
}
