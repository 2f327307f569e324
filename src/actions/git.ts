import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fail } from "../base/errors.ts";

/** git with no configuration but ours: no hooks, no filters, no helpers, no questions. */
export interface Git {
  run(
    args: readonly string[],
    options?: { input?: string | Uint8Array; env?: Record<string, string> },
  ): string;
  /** The exit code in place of a failure. */
  attempt(args: readonly string[]): { code: number; out: string };
}

export function openGit(directory: string): Git {
  const own = mkdtempSync(join(tmpdir(), "git-"));
  const config = join(own, "config");
  // A repository of another user is read all the same: this process can do nothing that its sandbox does not allow.
  writeFileSync(
    config,
    '[safe]\n\tdirectory = *\n[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n\tattributesFile = /dev/null\n\tautocrlf = false\n[protocol]\n\tallow = never\n[protocol "file"]\n\tallow = always\n[gc]\n\tauto = 0\n[commit]\n\tgpgSign = false\n[tag]\n\tgpgSign = false\n',
  );
  const environment = {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: own,
    LANG: "C.UTF-8",
    GIT_CONFIG_GLOBAL: config,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ATTR_NOSYSTEM: "1",
  };
  const call = (args: readonly string[], input?: string | Uint8Array, env: Record<string, string> = {}) =>
    // What a repository's own configuration could turn on is turned off on the command line, which is stronger.
    Bun.spawnSync(["git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", ...args], {
      cwd: directory,
      env: { ...environment, ...env },
      stdin: input === undefined ? null : Buffer.from(input),
      stdout: "pipe",
      stderr: "pipe",
    });
  return {
    run(args, { input, env } = {}) {
      const done = call(args, input, env);
      if (done.exitCode !== 0) {
        const said = done.stderr.toString().trim().slice(-2000);
        throw fail("command_failed", `git ${args[0]} failed: ${said}`);
      }
      return done.stdout.toString().trim();
    },
    attempt(args) {
      const done = call(args);
      return { code: done.exitCode, out: done.stdout.toString().trim() };
    },
  };
}
