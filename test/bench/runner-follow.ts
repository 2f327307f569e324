import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { binary, sandbox } from "../support/binary.ts";
import { startBinary } from "../support/processes.ts";

const LINES = 60;

/**
 * How long a line of a task's output is on its way to `run logs --follow`: task, pipe, spool, controller, store, gateway,
 * command. Each line is the time at which it was written. Milliseconds.
 */
export async function followLag(): Promise<number[]> {
  const box = sandbox("follow");
  const folder = join(box.path, "lightflow/workflows");
  mkdirSync(folder, { recursive: true });
  const script = `for i in $(seq ${LINES}); do date +%s%3N; sleep 0.1; done`;
  writeFileSync(
    join(folder, "tick.ts"),
    `import { type AssetMeta, workflow } from "../preload/lightflow.ts";
export const META = { id: "workflow.tick", title: "Tick", kind: "workflow", description: "ticks", stability: "stable" } as const satisfies AssetMeta;
export function define() {
  return workflow(META.id).commandStep("tick", { command: "sh", arguments: ["-c", ${JSON.stringify(script)}] });
}
`,
  );
  const host = await startBinary(
    ["up", "--no-ctx", "--port", "0", "--controller-port", "0"],
    box.env,
    box.path,
  );
  try {
    const response = await fetch(`${host.ready["gateway"]}/runs/start`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ workflow_asset_id: "workflow.tick", run_id: "tick", no_cache: true }),
    });
    if (!response.ok) throw new Error(await response.text());
    const child = Bun.spawn([await binary(), "run", "logs", "tick", "--follow"], {
      env: box.env,
      cwd: box.path,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    const lags: number[] = [];
    let rest = "";
    for await (const part of child.stdout) {
      const now = Date.now();
      const lines = (rest + Buffer.from(part).toString()).split("\n");
      rest = lines.pop()!;
      for (const line of lines) lags.push(now - Number(line));
    }
    await child.exited;
    if (lags.length !== LINES) throw new Error(`${lags.length} of ${LINES} lines came`);
    // What was written before the command listened is history.
    return lags.slice(LINES / 4);
  } finally {
    await host.stop();
    box.remove();
  }
}
