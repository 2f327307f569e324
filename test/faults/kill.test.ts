import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runBinary, type Sandbox, sandbox } from "../support/binary.ts";
import { eventually, startBinary } from "../support/processes.ts";
import { isDeep } from "../support/require.ts";

setDefaultTimeout(180_000);

/**
 * Two steps append a line each to a file of the shared workspace, with a pause after it; the last reads the file. The
 * count of lines says how often each command really ran.
 */
function writeProject(directory: string, repeatable: boolean, pause = { one: 0.4, two: 0.4 }): void {
  const folder = join(directory, "lightflow/workflows");
  mkdirSync(folder, { recursive: true });
  const step = (name: keyof typeof pause) =>
    `.commandStep("${name}", { command: "sh", arguments: ["-c", "echo ${name} >>count; sleep ${pause[name]}"], repeatable: ${repeatable} })`;
  writeFileSync(
    join(folder, "count.ts"),
    `import { type AssetMeta, workflow } from "../preload/lightflow.ts";
export const META = { id: "workflow.count", title: "Count", kind: "workflow", description: "counts", stability: "stable" } as const satisfies AssetMeta;
export function define() {
  return workflow(META.id)
    ${step("one")}
    ${step("two")}
    .commandStep("read", { command: "sh", arguments: ["-c", "printf '{\\"lines\\":\\"%s\\"}' \\"$(tr '\\\\n' ' ' <count)\\" >\\"$LIGHTFLOW_OUTPUT\\""], output: "json", repeatable: true })
    .output("\${ .steps.read.output.lines }");
}
`,
  );
}

interface Shown {
  status: string;
  output: string | null;
  error: unknown;
  steps: { step_id: string; status: string; attempts: { attempt: number }[] }[];
}

interface Leases {
  leases: { step_id: string; state: string }[];
}

async function show(box: Sandbox, run: string): Promise<Shown> {
  const { code, stdout, stderr } = await runBinary(["run", "get", run], { env: box.env, cwd: box.path });
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Shown;
}

async function start(box: Sandbox, run: string): Promise<void> {
  const ran = await runBinary(["run", "start", "workflow.count", "--id", run], {
    env: box.env,
    cwd: box.path,
  });
  if (ran.code !== 0) throw new Error(ran.stderr);
}

const PORTS = ["--port", "0", "--controller-port", "0"];

test("F13: kill -9 while a step that may not be repeated runs: it is not run again, and an operator is asked", async () => {
  const box = sandbox("kill-once");
  try {
    writeProject(box.path, false, { one: 0, two: 600 });
    const host = await startBinary(["up", ...PORTS], box.env, box.path);
    await start(box, "r");
    await eventually(
      async () => JSON.parse((await runBinary(["leases"], { env: box.env, cwd: box.path })).stdout) as Leases,
      ({ leases }) => leases.some(({ step_id, state }) => step_id === "two" && state === "started"),
    );
    await host.kill();
    const next = await startBinary(["up", ...PORTS], box.env, box.path);
    const shown = await eventually(
      () => show(box, "r"),
      ({ steps }) => steps.some((step) => step.status === "waiting_for_operator"),
    );
    expect(shown.status).toBe("running");
    expect(shown.steps.find((step) => step.step_id === "two")!.attempts).toHaveLength(1);
    const inbox = await runBinary(["inbox", "list"], { env: box.env, cwd: box.path });
    expect(JSON.parse(inbox.stdout)).toMatchObject({
      tasks: [{ kind: "outcome_unknown", body: { step_id: "two" } }],
    });
    expect(await next.stop()).toBe(143);
  } finally {
    box.remove();
  }
});

test("kill -9 at any time: a run of repeatable steps goes on after the restart to the same result", async () => {
  const rounds = isDeep ? 25 : 5;
  const box = sandbox("kill-repeat");
  try {
    writeProject(box.path, true);
    for (let round = 0; round < rounds; round++) {
      const run = `r${round}`;
      const host = await startBinary(["up", ...PORTS], box.env, box.path);
      await start(box, run);
      await Bun.sleep((1300 / rounds) * round);
      await host.kill();
      const next = await startBinary(["up", ...PORTS], box.env, box.path);
      const shown = await eventually(
        () => show(box, run),
        ({ status }) => status !== "running" && status !== "planned",
      );
      expect({ status: shown.status, error: shown.error }).toEqual({ status: "succeeded", error: null });
      const lines = shown.output!.trim().split(" ");
      // In order, each at least once, and no more often than it had attempts.
      expect(lines.join(" ")).toMatch(/^one( one)* two( two)*$/);
      for (const name of ["one", "two"]) {
        const attempts = shown.steps.find((step) => step.step_id === name)!.attempts.length;
        expect(lines.filter((line) => line === name).length).toBeLessThanOrEqual(attempts);
      }
      await next.stop();
    }
    const checked = await runBinary(["db", "check"], { env: box.env, cwd: box.path });
    expect(JSON.parse(checked.stdout)).toMatchObject({ ok: true, problems: [] });
  } finally {
    box.remove();
  }
});

test("a run whose own host was killed goes on under `up`", async () => {
  const box = sandbox("kill-own-host");
  try {
    writeProject(box.path, true);
    const alone = await startOwnHost(box);
    await eventually(
      () => show(box, "r"),
      ({ steps }) => steps.some((step) => step.step_id === "two"),
    );
    alone.kill("SIGKILL");
    await alone.exited;
    const host = await startBinary(["up", ...PORTS], box.env, box.path);
    const shown = await eventually(
      () => show(box, "r"),
      ({ status }) => status !== "running",
    );
    expect(shown.status).toBe("succeeded");
    await host.stop();
  } finally {
    box.remove();
  }
});

async function startOwnHost(box: Sandbox) {
  const { binary } = await import("../support/binary.ts");
  const child = Bun.spawn([await binary(), "run", "start", "workflow.count", "--id", "r"], {
    env: box.env,
    cwd: box.path,
    stdout: "ignore",
    stderr: "ignore",
  });
  await eventually(
    () => runBinary(["run", "get", "r"], { env: box.env, cwd: box.path }),
    ({ code }) => code === 0,
  );
  return child;
}
