import { processesWithEnvironment, signalProcess } from "../../processes.ts";
import { LEASE_MARKER } from "../../provider.ts";

/** A command of a stand-in's sandbox, as a process of this host. */
export interface LocalCommand {
  readonly process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  terminate(): void;
  /** All of it, like the end of a pod or of a machine. */
  end(): Promise<void>;
}

export function startLocal(
  argv: string[],
  environment: Readonly<Record<string, string>>,
  directory: string,
): LocalCommand {
  const process = Bun.spawn(argv, {
    env: { ...environment },
    cwd: directory,
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  return {
    process,
    terminate: () => void signalProcess(-process.pid, "SIGTERM"),
    async end() {
      signalProcess(-process.pid, "SIGKILL");
      const mark = environment[LEASE_MARKER];
      for (;;) {
        const left = mark === undefined ? [] : await processesWithEnvironment(LEASE_MARKER, mark);
        if (left.length === 0) break;
        for (const pid of left) signalProcess(pid, "SIGKILL");
        await Bun.sleep(5);
      }
      await process.exited;
    },
  };
}

/** A shell's way to say how a process ended. */
export const codeOf = (process: Bun.Subprocess, signals: Readonly<Record<string, number>>): number =>
  process.exitCode ?? 128 + (signals[process.signalCode ?? ""] ?? 0);
