import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import manifest from "../../package.json";
import { childEnvironment } from "../../src/base/child-env.ts";
import { COMMANDS } from "../../src/cli/table.ts";
import { binary, sandbox } from "../support/binary.ts";
import { against, figures, inTurns, pairedRatio, show } from "./stats.ts";

export const about =
  "start of the executable against an empty one, its size, `up` to its first answer, idle memory";

const MIB = 1024 * 1024;

export async function run(args: readonly string[]): Promise<void> {
  const rounds = Number(args[0] ?? 100);
  const executable = await binary();
  const scratch = mkdtempSync(join(tmpdir(), "lightflow-bench-"));
  try {
    const empty = compileEmpty(scratch);
    const whole = (path: string) => async () => {
      await Bun.spawn([path, "--version"], { env: childEnvironment(), stdout: "ignore" }).exited;
      return undefined;
    };
    const times = await inTurns({ empty: whole(empty), version: whole(executable) }, rounds, 3);
    console.log(`an empty Bun executable  ${show(figures(times.empty), "ms")}`);
    console.log(`lightflow --version      ${show(figures(times.version), "ms")}`);
    console.log(against("--version against empty", pairedRatio(times.version, times.empty).median, 1.2, "x"));
    console.log(against("size", statSync(executable).size / 1e6, 125, "MB", 1));

    if (COMMANDS.some((row) => row.path === "up")) {
      const ups: { ready: number; memory: number }[] = [];
      for (let round = 0; round < 7; round++) ups.push(await measureUp(executable));
      const ready = figures(ups.map((each) => each.ready));
      const memory = figures(ups.map((each) => each.memory));
      console.log(`up to its first 200      ${show(ready, "ms")}`);
      console.log(`idle memory of up        ${show(memory, "MiB")}`);
      console.log(against("up to its first 200", ready.median, 300, "ms", 0));
      console.log(against("idle memory of up", memory.median, 100, "MiB", 1));
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** A program that only prints, compiled with the same flags. */
function compileEmpty(scratch: string): string {
  writeFileSync(join(scratch, "empty.ts"), `console.log(${JSON.stringify(manifest.version)});\n`);
  const outfile = join(scratch, "empty");
  const flags = ["--compile", "--minify", "--bytecode", "--splitting", "--format=esm", "--sourcemap=none"];
  const autoload = ["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];
  const { exitCode, stderr } = Bun.spawnSync(
    [process.execPath, "build", ...flags, ...autoload, join(scratch, "empty.ts"), "--outfile", outfile],
    { env: childEnvironment() },
  );
  if (exitCode !== 0) throw new Error(stderr.toString());
  return outfile;
}

/** From spawn to the first 200 of `/health` on the gateway's port, and the resident memory a second later. */
async function measureUp(executable: string): Promise<{ ready: number; memory: number }> {
  const box = sandbox("lf-bench");
  const port = await freePort();
  const start = performance.now();
  const child = Bun.spawn([executable, "up", "--port", String(port), "--controller-port", "0"], {
    env: childEnvironment(box.env),
    cwd: box.path,
    stdout: "ignore",
    stderr: "ignore",
  });
  try {
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined);
      if (answer?.status === 200) break;
      if (child.exitCode !== null) throw new Error(`up ended with ${child.exitCode}`);
      await Bun.sleep(1);
    }
    const ready = performance.now() - start;
    await Bun.sleep(1000);
    return { ready, memory: residentBytes(child.pid) / MIB };
  } finally {
    child.kill("SIGTERM");
    await child.exited;
    box.remove();
  }
}

async function freePort(): Promise<number> {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const port = server.port!;
  await server.stop(true);
  return port;
}

function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}
