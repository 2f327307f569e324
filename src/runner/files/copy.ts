import { lstatSync, mkdirSync } from "node:fs";
import { fail } from "../../base/errors.ts";
import { removeTree } from "./trees.ts";

/** How the files of a copy came to be. Which one it was is a matter of speed and space alone. */
export type CopyMethod = "overlay" | "reflink" | "copy";

const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";
/** Of the message of a program that failed. */
const MESSAGE_CHARACTERS = 500;

/** Run a program of the system to its end. @returns what it said when it failed, else null */
export async function runTool(argv: readonly string[], signal?: AbortSignal): Promise<string | null> {
  const child = Bun.spawn([...argv], {
    env: { PATH, LC_ALL: "C" },
    stdio: ["ignore", "ignore", "pipe"],
    // Not with the runner's terminal: an interrupt there is for the runner to act upon.
    detached: true,
    ...(signal === undefined ? {} : { signal, killSignal: "SIGKILL" }),
  });
  const [code, errors] = await Promise.all([child.exited, child.stderr.text()]);
  if (code === 0) return null;
  return errors.trim().split("\n")[0]!.slice(0, MESSAGE_CHARACTERS) || `${argv[0]} ended with ${code}`;
}

/**
 * Everything below `source` as it is, links as links, into `target`, which is made. A child does the work, so that ten
 * thousand files hold nothing up.
 * @param reflink whether blocks may be shared; tried first, since it costs nearly nothing
 * @throws Failure `execution_start_failed`; nothing of the copy is left then
 */
export async function copyTree(
  source: string,
  target: string,
  reflink: boolean,
  signal?: AbortSignal,
): Promise<"reflink" | "copy"> {
  // A task may have put a link in the place of its own directory: what it leads to is none of its files.
  if (lstatSync(source, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw fail("execution_start_failed", "what is to be copied is not a directory");
  signal?.throwIfAborted();
  const attempt = async (how: "always" | "never"): Promise<string | null> => {
    mkdirSync(target, { recursive: true, mode: 0o700 });
    const trouble = await runTool(
      ["cp", "--archive", `--reflink=${how}`, `${source}/.`, `${target}/`],
      signal,
    );
    if (trouble !== null) await removeTree(target);
    return trouble;
  };
  if (reflink && (await attempt("always")) === null) return "reflink";
  const trouble = await attempt("never");
  if (trouble === null) return "copy";
  signal?.throwIfAborted();
  throw fail("execution_start_failed", `the workspace could not be copied: ${trouble}`, {
    hint: "see that the runner's disk has space, and that it may read every file there",
  });
}
