import { fail } from "../../../src/base/errors.ts";
import type { JsonObject } from "../../../src/base/json.ts";
import type { ToolCall } from "./run.ts";

const MAX_OUTPUT = 1 << 20;

/** Run an argument vector as the caller, without a shell, without the daemon's environment. */
export async function runShell(call: ToolCall, signal: AbortSignal): Promise<JsonObject> {
  const argv = call.input["argv"] as string[];
  const own = process.geteuid!();
  const become =
    own === call.uid
      ? []
      : [setpriv(), `--reuid=${call.uid}`, `--regid=${call.gid}`, "--clear-groups", "--no-new-privs", "--"];
  const child = Bun.spawn([...become, ...argv], {
    cwd: "/",
    env: { PATH: "/usr/local/bin:/usr/bin:/bin", LANG: "C.UTF-8" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  const stop = (): void => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // Already gone.
    }
  };
  signal.addEventListener("abort", stop);
  try {
    const [stdout, stderr, code] = await Promise.all([
      take(child.stdout, stop),
      take(child.stderr, stop),
      child.exited,
    ]);
    if (signal.aborted) throw fail("execution_timeout", "the command was stopped");
    return { exit_code: code, stdout, stderr };
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

function setpriv(): string {
  const path = Bun.which("setpriv");
  if (path === null) {
    throw fail("unavailable", "`setpriv` is needed to run a command as the caller", {
      hint: "install util-linux",
    });
  }
  return path;
}

async function take(stream: ReadableStream<Uint8Array>, stop: () => void): Promise<string> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of stream) {
    total += chunk.length;
    if (total > MAX_OUTPUT) {
      stop();
      throw fail("execution_output_too_large", `the command wrote more than ${MAX_OUTPUT} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
