import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildIfStale } from "../../scripts/build.ts";
import { childEnvironment } from "../../src/base/child-env.ts";

let built: Promise<string> | undefined;

/**
 * Path of the compiled executable, made from the sources as they stand; built at most once. `verify` names the one that
 * it has built, so that a source saved meanwhile does not replace it under a running test.
 */
export function binary(): Promise<string> {
  const given = process.env["LIGHTFLOW_TEST_BINARY"];
  built ??= given === undefined ? buildIfStale() : Promise.resolve(given);
  return built;
}

/** A directory of its own with XDG directories in it, as a new user on a new machine has them. */
export interface Sandbox {
  readonly path: string;
  readonly env: Record<string, string>;
  remove(): void;
}

/** @param name may hold spaces */
export function sandbox(name = "lf"): Sandbox {
  const path = mkdtempSync(join(tmpdir(), `${name}-`));
  mkdirSync(join(path, "run"), { mode: 0o700 });
  return {
    path,
    env: {
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      HOME: path,
      TMPDIR: tmpdir(),
      XDG_CONFIG_HOME: join(path, "config"),
      XDG_STATE_HOME: join(path, "state"),
      XDG_CACHE_HOME: join(path, "cache"),
      XDG_RUNTIME_DIR: join(path, "run"),
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run the executable to its end; stdout and stderr are pipes, so output is JSON. */
export async function runBinary(
  args: readonly string[],
  options: { env: Record<string, string | undefined>; cwd?: string; stdin?: string; executable?: string },
): Promise<Ran> {
  const child = Bun.spawn([options.executable ?? (await binary()), ...args], {
    env: childEnvironment(options.env),
    cwd: options.cwd ?? tmpdir(),
    stdin: options.stdin === undefined ? "ignore" : new Blob([options.stdin]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, stdout, stderr };
}

/** A copy of the executable alone in a directory. */
export async function copyBinary(directory: string): Promise<string> {
  const path = join(directory, "lightflow");
  copyFileSync(await binary(), path);
  return path;
}
