import type { Role } from "../host/index.ts";
import { EXIT } from "./exit.ts";
import type { Io, StopReason } from "./io.ts";

/** Say where a role listens, then live until a signal. @returns the exit code of the signal */
export async function serveRole(io: Io, name: string, open: () => Promise<Role>): Promise<number> {
  const stop = io.stop();
  const role = await open();
  try {
    if (io.json)
      io.stdout.line(
        JSON.stringify({ ready: true, role: name, url: role.url, state: io.paths.state, pid: process.pid }),
      );
    else io.stdout.line(`${io.paint.bold(name)} on ${role.url}, state in ${io.paths.state}`);
    if (!stop.aborted)
      await new Promise((resolve) => stop.addEventListener("abort", resolve, { once: true }));
  } finally {
    await role.stop();
  }
  return exitOf(stop);
}

/** Resolves when a command has been told to end. */
export function untilStopped(stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) resolve();
    else stop.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** The exit code of the signal that ended a command. */
export function exitOf(stop: AbortSignal): number {
  const reason = stop.reason as StopReason | undefined;
  return reason === "SIGINT" ? EXIT.interrupted : reason === "SIGTERM" ? EXIT.terminated : EXIT.ok;
}
