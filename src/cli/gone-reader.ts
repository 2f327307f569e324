import { dlopen, ptr } from "bun:ffi";
import { fstatSync } from "node:fs";

const POLLERR = 0x8;
const POLLHUP = 0x10;
/** How long a command that has nothing to write goes on after its reader has gone. */
const LOOK_MS = 250;

/**
 * Calls once nobody can read a pipe any more. A write would tell, but whoever follows something quiet has nothing to write:
 * `lightflow run logs ID --follow | head -1` would wait for a second line.
 */
export function whenReaderGoes(fd: number, gone: () => void): void {
  const stat = fstatSync(fd);
  if (!stat.isFIFO() && !stat.isSocket()) return;
  const poll = openPoll();
  if (poll === null) return;
  // struct pollfd: int fd, short events, short revents.
  const asked = new DataView(new ArrayBuffer(8));
  asked.setInt32(0, fd, true);
  const timer = setInterval(() => {
    if (poll(ptr(asked.buffer), 1n, 0) < 1) return;
    if ((asked.getInt16(6, true) & (POLLERR | POLLHUP)) === 0) return;
    clearInterval(timer);
    gone();
  }, LOOK_MS);
  timer.unref();
}

function openPoll() {
  const symbols = { poll: { args: ["ptr", "u64", "i32"], returns: "i32" } } as const;
  for (const name of ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`]) {
    try {
      return dlopen(name, symbols).symbols.poll;
    } catch {
      // The other one.
    }
  }
  return null;
}
