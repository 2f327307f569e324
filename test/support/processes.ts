import { childEnvironment } from "../../src/base/child-env.ts";
import { binary } from "./binary.ts";

export interface Started {
  readonly pid: number;
  /** The JSON object of the ready line. */
  readonly ready: Record<string, string>;
  /** All of stderr so far. */
  stderr(): string;
  /** SIGKILL to the process alone, as the kernel's out-of-memory killer would. */
  kill(): Promise<void>;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number>;
}

/** Start a serving command of the executable and wait for its ready line. */
export async function startBinary(
  args: readonly string[],
  env: Record<string, string>,
  cwd: string,
): Promise<Started> {
  const child = Bun.spawn([await binary(), ...args, "--json"], {
    env: childEnvironment(env),
    cwd,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let errors = "";
  const drained = (async () => {
    for await (const part of child.stderr) errors += Buffer.from(part).toString();
  })();
  const reader = child.stdout.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) {
      await drained;
      throw new Error(`${args.join(" ")} ended before it was ready: ${errors}`);
    }
    text += Buffer.from(value).toString();
  }
  return {
    pid: child.pid,
    ready: JSON.parse(text.split("\n")[0]!) as Record<string, string>,
    stderr: () => errors,
    async kill() {
      child.kill("SIGKILL");
      await child.exited;
    },
    async stop() {
      child.kill("SIGTERM");
      return await child.exited;
    },
  };
}

/** Ask until the answer is right. */
export async function eventually<T>(
  ask: () => Promise<T>,
  right: (answer: T) => boolean,
  seconds = 40,
): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (right(answer)) return answer;
    if (Date.now() > end) throw new Error(`still ${JSON.stringify(answer)} after ${seconds} s`);
    await Bun.sleep(50);
  }
}
