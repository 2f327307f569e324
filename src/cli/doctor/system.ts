import { dlopen } from "bun:ffi";
import { closeSync, openSync } from "node:fs";
import { childEnvironment } from "../../base/child-env.ts";
import type { Environment } from "../../base/xdg.ts";
import { type Check, failure, good, messageOf, warning } from "./check.ts";

/** Linux with glibc 2.17 or later: what the executable is linked against. */
export function checkPlatform(): Check {
  const name = "platform";
  const machine = `${process.platform} ${process.arch}`;
  if (process.platform !== "linux")
    return failure(name, machine, "run lightflow on Linux, in a virtual machine if need be");
  try {
    if (process.env["LIGHTFLOW_LIBC"] === "musl") return good(name, `${machine}, musl`);
    const libc = dlopen("libc.so.6", { gnu_get_libc_version: { returns: "cstring", args: [] } });
    return good(name, `${machine}, glibc ${libc.symbols.gnu_get_libc_version()}`);
  } catch (error) {
    return failure(name, `${machine}: ${messageOf(error)}`, "use a distribution with glibc 2.17 or later");
  }
}

interface Outcome {
  readonly code: number | null;
  readonly text: string;
}

/** Run a program; null when there is none of that name. */
function attempt(env: Environment, program: string, ...args: string[]): Outcome | null {
  const path = Bun.which(program, { PATH: env["PATH"] ?? "" });
  if (path === null) return null;
  const { exitCode, stdout, stderr } = Bun.spawnSync([path, ...args], {
    env: childEnvironment(env),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 10_000,
  });
  return { code: exitCode, text: `${stdout}${stderr}`.trim().replace(/\s+/g, " ").slice(0, 200) };
}

function install(name: string): string {
  return `apt-get install ${name} (or your distribution's package of that name)`;
}

export function checkGit(env: Environment): Check {
  const git = attempt(env, "git", "--version");
  if (git === null) return failure("git", "not found in PATH", install("git"));
  return git.code === 0 ? good("git", git.text) : failure("git", git.text, install("git"));
}

/** A sandbox is started with all namespaces apart, as the runner starts it. Without one, tasks are plain children. */
export function checkSandbox(env: Environment): Check {
  const name = "sandbox";
  const version = attempt(env, "bwrap", "--version");
  if (version === null) {
    return warning(name, "bwrap is not in PATH: tasks run as plain child processes", install("bubblewrap"));
  }
  const sandbox = attempt(
    env,
    "bwrap",
    "--unshare-all",
    "--die-with-parent",
    "--ro-bind",
    "/",
    "/",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "true",
  );
  if (sandbox?.code === 0) return good(name, `${version.text} with user namespaces`);
  return warning(
    name,
    `bwrap cannot start a sandbox: ${sandbox?.text || "no reason given"}`,
    "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, and on Ubuntu 24.04 or later kernel.apparmor_restrict_unprivileged_userns=0",
  );
}

/** Only mounting /ctx needs it. */
export function checkFuse(env: Environment): Check {
  const name = "FUSE";
  try {
    closeSync(openSync("/dev/fuse", "r+"));
  } catch (error) {
    return warning(
      name,
      `${messageOf(error)}: /ctx cannot be mounted`,
      (error as NodeJS.ErrnoException).code === "EACCES"
        ? "give this user /dev/fuse: chmod 666 /dev/fuse, as distributions have it"
        : "modprobe fuse; in a container pass --device /dev/fuse --cap-add SYS_ADMIN",
    );
  }
  const helper = attempt(env, "fusermount3", "--version");
  if (helper?.code === 0) return good(name, `/dev/fuse, ${helper.text}`);
  if (process.getuid?.() === 0) return good(name, "/dev/fuse, mounted directly as root");
  return warning(name, "fusermount3 is not in PATH: only root can mount /ctx", install("fuse3"));
}
