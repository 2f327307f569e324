import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runBinary, type Sandbox, sandbox } from "../support/binary.ts";
import { eventually, startBinary } from "../support/processes.ts";

setDefaultTimeout(120_000);

const PORTS = ["--port", "0", "--controller-port", "0"];

/** The due times of the runs that a schedule has started, oldest first, in milliseconds. */
async function started(box: Sandbox): Promise<number[]> {
  const { stdout } = await runBinary(["run", "list", "--limit", "1000"], { env: box.env, cwd: box.path });
  const { runs } = JSON.parse(stdout) as { runs: { run_id: string; workflow_asset_id: string }[] };
  return runs
    .filter(({ workflow_asset_id }) => workflow_asset_id === "tick")
    .map(({ run_id }) => {
      const [, ...parts] = /-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-/.exec(run_id)!.map(Number);
      const [year, month, day, hour, minute, second, ms] = parts as [
        number,
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      return Date.UTC(year, month - 1, day, hour, minute, second, ms);
    })
    .sort((one, other) => one - other);
}

test("kill -9 again and again: each due time of a schedule makes one run at most, in its rhythm", async () => {
  const box = sandbox("schedules");
  try {
    writeFileSync(
      join(box.path, "tick.yaml"),
      `document: { dsl: '1.0.3', namespace: t, name: tick, version: '1.0.0' }
schedule: { every: { seconds: 1 } }
do: [{ a: { set: { n: 1 } } }]
`,
    );
    let host = await startBinary(["up", ...PORTS], box.env, box.path);
    const published = await runBinary(["workflow", "publish", "tick.yaml"], { env: box.env, cwd: box.path });
    expect(published.stderr).toBe("");
    for (let round = 1; round <= 2; round++) {
      const before = (await started(box)).length;
      await eventually(
        () => started(box),
        (runs) => runs.length > before,
      );
      await host.kill();
      // Long enough that a due time passes while nobody is there.
      await Bun.sleep(1200);
      host = await startBinary(["up", ...PORTS], box.env, box.path);
    }
    await eventually(
      () => started(box),
      (runs) => runs.length >= 4,
    );
    expect(await host.stop()).toBe(143);
    const due = await started(box);
    const steps = due.slice(1).map((time, index) => time - due[index]!);
    for (const step of steps) {
      expect(step).toBeGreaterThan(0);
      expect(step % 1000).toBe(0);
    }
  } finally {
    box.remove();
  }
});
