import { dlopen, ptr } from "bun:ffi";

const RLIMIT_CORE = 4;

/**
 * From here on neither this process nor any that it starts leaves its memory on the disk when it crashes: that of a task, and
 * that of its runner, holds secrets. @returns whether the kernel took it
 */
export function forbidCores(): boolean {
  const symbols = { setrlimit: { args: ["i32", "ptr"], returns: "i32" } } as const;
  const none = new BigUint64Array(2);
  for (const name of ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`]) {
    try {
      const libc = dlopen(name, symbols);
      const isDone = libc.symbols.setrlimit(RLIMIT_CORE, ptr(none)) === 0;
      libc.close();
      return isDone;
    } catch {
      // The other one.
    }
  }
  return false;
}
