import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { childEnvironment } from "../../src/base/child-env.ts";
import { binary, runBinary, sandbox } from "../support/binary.ts";

const box = sandbox("lf runs");
const project = join(box.path, "project");
const run = (args: string[], env = {}) => runBinary(args, { env: { ...box.env, ...env }, cwd: project });

beforeAll(async () => {
  expect((await runBinary(["init", "project"], { env: box.env, cwd: box.path })).code).toBe(0);
});
afterAll(box.remove);

/** A host in the background; resolves with what it prints once it is ready. */
async function up(...flags: string[]) {
  const child = Bun.spawn([await binary(), "up", ...flags], {
    env: childEnvironment(box.env),
    cwd: project,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) break;
    text += Buffer.from(value).toString();
  }
  reader.releaseLock();
  return {
    child,
    facts: JSON.parse(text) as { gateway: string; controller: string; socket: string; pid: number },
  };
}

test("the workflow that init wrote runs without a host, and what it did can be looked at", async () => {
  const written = readdirSync(project, { recursive: true }).sort();
  const started = await run([
    "run",
    "start",
    "workflow.hello",
    "--id",
    "alone",
    "--inputs",
    '{"name":"Ada"}',
    "--watch",
  ]);
  expect(started.code).toBe(0);
  expect(started.stderr).toContain("Hello, Ada!");
  expect(JSON.parse(started.stdout)).toMatchObject({
    run_id: "alone",
    status: "succeeded",
    output: { greeting: "Hello, Ada!", letters: 3 },
  });

  const events = (await run(["run", "events", "alone"])).stdout.trimEnd().split("\n");
  const seqs = events.map((line) => (JSON.parse(line) as { seq: number }).seq);
  expect(seqs.length).toBeGreaterThan(2);
  expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
  expect((await run(["run", "logs", "alone"])).stdout).toContain("Hello, Ada!");
  expect(JSON.parse((await run(["run", "get", "alone"])).stdout)).toMatchObject({ run_id: "alone" });
  expect(JSON.parse((await run(["run", "list"])).stdout).runs).toHaveLength(1);
  expect((await run(["run", "wait", "alone"])).code).toBe(0);
  expect((await run(["db", "check"])).code).toBe(0);

  // All of it lies in XDG directories, nothing in the project.
  expect(readdirSync(project, { recursive: true }).sort()).toEqual(written);

  // The name is taken.
  const again = await run(["run", "start", "workflow.hello", "--id", "alone"]);
  expect({ code: again.code, stdout: again.stdout }).toEqual({ code: 2, stdout: "" });
});

test("a host serves runs over its socket, refuses a second one on its ports, and stops with 143 on SIGTERM", async () => {
  const { child, facts } = await up("--port", "0", "--controller-port", "0");
  try {
    expect((await fetch(`${facts.gateway}/health`)).status).toBe(200);
    const started = await run(["run", "start", "workflow.hello", "--id", "hosted", "--watch"]);
    expect(started.code).toBe(0);
    expect(JSON.parse(started.stdout).steps[0].attempts[0]).toMatchObject({
      runner_id: "local",
      exit_code: 0,
    });

    const other = sandbox("lf other host");
    try {
      const second = await runBinary(
        ["up", "--port", new URL(facts.gateway).port, "--controller-port", "0"],
        {
          env: other.env,
          cwd: other.path,
        },
      );
      expect(second.code).toBe(1);
      expect(second.stdout).toBe("");
      expect(second.stderr).toMatch(/^[^\n]*in use[^\n]*\n$/);
    } finally {
      other.remove();
    }
  } finally {
    child.kill("SIGTERM");
  }
  expect(await child.exited).toBe(143);
  expect(existsSync(facts.socket)).toBe(false);
});

test("a failed run is exit code 3 with the last lines of the failed step", async () => {
  const failed = await run(["run", "start", "workflow.hello", "--inputs", '{"name":""}', "--watch"]);
  expect(failed.code).toBe(3);
  expect(JSON.parse(failed.stdout)).toMatchObject({ status: "failed" });
});

test("assets lists what the project and the executable offer", async () => {
  const { code, stdout } = await run(["assets", "workflows"]);
  expect(code).toBe(0);
  const ids = (JSON.parse(stdout).assets as { meta: { id: string } }[]).map((asset) => asset.meta.id);
  expect(ids).toContain("workflow.hello");
  for (const kind of ["nodes", "compositions", "models"]) expect((await run(["assets", kind])).code).toBe(0);
});

test("a run that asks for what no runner offers says so while it is watched", async () => {
  const file = join(project, "lightflow/workflows/stuck.ts");
  const text = readFileSync(join(project, "lightflow/workflows/hello.ts"), "utf8");
  const chain = `return workflow(META.id).commandStep("s", { command: "true", capabilities: ["browser"] }).output({});`;
  writeFileSync(
    file,
    text.replace("workflow.hello", "workflow.stuck").replace(/return workflow[\s\S]*?;\n}/, `${chain}\n}`),
  );
  const child = Bun.spawn([await binary(), "run", "start", "workflow.stuck", "--id", "stuck", "--watch"], {
    env: childEnvironment(box.env),
    cwd: project,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  let told = "";
  // To its end: a reader that stops would end the child.
  for await (const part of child.stderr) {
    told += Buffer.from(part).toString();
    if (told.includes("lacks browser")) child.kill("SIGINT");
  }
  expect(await child.exited).toBe(130);
  expect(told).toContain("! s waits: the only runner may not have it: the runner lacks browser\n");
  expect(told).toContain("stopped; run stuck is kept");
});
