import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fail } from "./errors.ts";

export interface GitOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

/** git with no configuration but ours: no hooks, no filters, no helpers, no questions, no other place by itself. */
export interface Git {
  /** What it printed. @throws Failure `command_failed` */
  run(args: readonly string[], options?: GitOptions): Promise<string>;
  /** The bytes that it printed. @throws Failure `command_failed` */
  bytes(args: readonly string[], options?: GitOptions): Promise<Uint8Array>;
  /** The exit code in place of a failure. */
  attempt(
    args: readonly string[],
    options?: GitOptions,
  ): Promise<{ code: number; out: string; errors: string }>;
  close(): void;
}

/** Each of them starts a program of the repository's choice. */
const OFF = ["core.hooksPath=/dev/null", "core.fsmonitor=false", "log.showSignature=false"];

/** @param scratch where its configuration stands until it is closed */
export function openGit(directory: string, scratch: string = tmpdir()): Git {
  const own = mkdtempSync(join(scratch, "git-"));
  const config = join(own, "config");
  // A repository of another user is read all the same: this process can do nothing that its sandbox does not allow.
  writeFileSync(
    config,
    "[safe]\n\tdirectory = *\n[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n\tattributesFile = /dev/null\n\tautocrlf = false\n[gc]\n\tauto = 0\n[commit]\n\tgpgSign = false\n[tag]\n\tgpgSign = false\n",
  );
  const environment = {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: own,
    LANG: "C.UTF-8",
    GIT_CONFIG_GLOBAL: config,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ATTR_NOSYSTEM: "1",
    // Stronger than any configuration: a repository that lacks an object would have it fetched, by a program that it names.
    GIT_ALLOW_PROTOCOL: "",
    GIT_NO_LAZY_FETCH: "1",
  };
  const call = async (args: readonly string[], { input, env }: GitOptions = {}) => {
    // What a repository's own configuration could turn on is turned off on the command line, which is stronger.
    const child = Bun.spawn(["git", ...OFF.flatMap((setting) => ["-c", setting]), ...args], {
      cwd: directory,
      env: { ...environment, ...env },
      stdin: input === undefined ? "ignore" : Buffer.from(input),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, errors, code] = await Promise.all([child.stdout.bytes(), child.stderr.text(), child.exited]);
    return { out, errors, code };
  };
  const bytes: Git["bytes"] = async (args, options) => {
    const { out, errors, code } = await call(args, options);
    if (code === 0) return out;
    throw fail("command_failed", `git ${args[0]} failed: ${errors.trim().slice(-2000)}`);
  };
  const text = (out: Uint8Array) => Buffer.from(out).toString().trim();
  return {
    bytes,
    run: async (args, options) => text(await bytes(args, options)),
    async attempt(args, options) {
      const { out, errors, code } = await call(args, options);
      return { code, out: text(out), errors: errors.trim() };
    },
    close: () => rmSync(own, { recursive: true, force: true }),
  };
}
