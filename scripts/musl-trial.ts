/**
 * How an executable for musl is started on Debian: with its package `musl`, the libstdc++ that is there, and a shim for what
 * that one asks of glibc. It shows that the executable starts, parses and works; Alpine's own libraries are not tried.
 */
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const LIBRARIES = "/usr/lib/x86_64-linux-gnu";

/** The environment of such a start, or why there is none. */
export function muslEnvironment(directory: string): { env: Record<string, string> } | { missing: string } {
  if (process.arch !== "x64" || !existsSync("/lib/ld-musl-x86_64.so.1"))
    return { missing: "no musl on this machine (apt-get install musl)" };
  if (existsSync("/etc/alpine-release")) return { env: {} };
  const compiler = Bun.which("cc") ?? Bun.which("gcc");
  if (compiler === null) return { missing: "no C compiler for the shim of the libraries" };
  mkdirSync(directory, { recursive: true });
  for (const name of ["libstdc++.so.6", "libgcc_s.so.1"]) {
    if (!existsSync(join(LIBRARIES, name))) return { missing: `no ${name} in ${LIBRARIES}` };
    copyFileSync(join(LIBRARIES, name), join(directory, name));
  }
  // Under the name of glibc's loader, which libstdc++ asks for as a library.
  const shim = join(directory, "ld-linux-x86-64.so.2");
  const source = join(import.meta.dir, "musl-shim.c");
  const flags = ["-shared", "-fPIC", "-nostdlib", "-Wl,-soname,ld-linux-x86-64.so.2"];
  const made = Bun.spawnSync([compiler, ...flags, "-o", shim, source]);
  if (made.exitCode !== 0)
    return { missing: `the shim cannot be compiled: ${made.stderr.toString().trim()}` };
  return { env: { LD_LIBRARY_PATH: directory, LD_PRELOAD: shim } };
}
