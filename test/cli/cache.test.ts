import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runBinary, sandbox } from "../support/binary.ts";
import { type Started, startBinary } from "../support/processes.ts";

const box = sandbox("lf cache");
const project = join(box.path, "project");
const workflow = join(project, "lightflow/workflows/diamond.ts");
let host: Started;

/** left and right need nothing of each other; join needs both, last needs join. */
const SOURCE = String.raw`import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.diamond",
  title: "Diamond",
  kind: "workflow",
  description: "Four steps.",
  stability: "draft",
} as const satisfies AssetMeta;

const SAY = 'printf "\\"%s\\"" "$1" >"$LIGHTFLOW_OUTPUT"; printf "%s" "$1" >said.txt';
export function define() {
  return workflow(META.id)
    .input("left", { type: "string", default: "l" })
    .input("right", { type: "string", default: "r" })
    .input("seed", { type: "integer", seed: true })
    .commandStep("left", { command: "sh", arguments: ["-c", SAY, "sh", "\${ .inputs.left }"], output: "json", workspace: "ephemeral" })
    .commandStep("right", { command: "sh", arguments: ["-c", SAY, "sh", "\${ .inputs.right }"], output: "json", workspace: "ephemeral" })
    .commandStep("join", {
      command: "sh",
      arguments: ["-c", SAY, "sh", '\${ .steps.left.output + "+" + .steps.right.output }'],
      output: "json",
      workspace: "ephemeral",
      artifacts: [{ path: "said.txt" }],
    })
    .commandStep("last", { command: "sh", arguments: ["-c", SAY, "sh", "\${ .steps.join.output }"], output: "json", workspace: "ephemeral" })
    .commandStep("always", { command: "sh", arguments: ["-c", SAY, "sh", "x"], output: "json", workspace: "ephemeral", impure: true })
    .output({ said: "\${ .steps.last.output }", seed: "\${ .inputs.seed }" });
}
`.replaceAll("\\${", "${");

const run = (...args: string[]) => runBinary(args, { env: box.env, cwd: project });
async function json(...args: string[]) {
  const { code, stdout, stderr } = await run(...args);
  if (code !== 0) throw new Error(`${args.join(" ")}: ${code} ${stderr}${stdout}`);
  return JSON.parse(stdout);
}
/** Start, wait for the end. */
async function start(id: string, ...more: string[]) {
  await json("run", "start", "workflow.diamond", "--id", id, ...more);
  const waited = await run("run", "wait", id);
  if (waited.code !== 0) throw new Error((await run("run", "get", id)).stdout);
  return await json("run", "get", id);
}
const executed = (got: {
  steps: { step_id: string; kind: string; cached: boolean; attempts: unknown[] }[];
}) => {
  for (const { cached, attempts } of got.steps) expect(cached ? attempts.length : 0).toBe(0);
  return got.steps
    .filter(({ kind, cached }) => kind === "run" && !cached)
    .map(({ step_id }) => step_id)
    .sort();
};

beforeAll(async () => {
  expect((await runBinary(["init", "project"], { env: box.env, cwd: box.path })).code).toBe(0);
  mkdirSync(join(project, "lightflow/presets"), { recursive: true });
  writeFileSync(workflow, SOURCE);
  host = await startBinary(["up", "--port", "0", "--controller-port", "0", "--no-ctx"], box.env, project);
});
afterAll(async () => {
  await host.stop();
  box.remove();
});

test("after one parameter changed exactly its step and those below it run; the rest is returned as cached", async () => {
  const first = await start("first", "--set", "seed=1");
  expect(executed(first)).toEqual(["always", "join", "last", "left", "right"]);
  expect(first.output).toEqual({ said: "l+r", seed: 1 });

  const same = await start("same", "--set", "seed=1");
  expect(executed(same)).toEqual(["always"]);
  expect(same.output).toEqual(first.output);
  // What the cached step handed over is handed over by this run too.
  expect(same.artifacts).toMatchObject([
    { step_id: "join", name: "said.txt", sha256: first.artifacts[0].sha256 },
  ]);
  const events = (await run("run", "events", "same")).stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(
    events
      .filter(({ event }) => event === "step.cached")
      .map(({ step_id, detail }) => [step_id, detail.origin_run])
      .sort(),
  ).toEqual([
    ["join", "first"],
    ["last", "first"],
    ["left", "first"],
    ["right", "first"],
  ]);

  const changed = await start("changed", "--set", "seed=1", "--set", "right=R");
  expect(executed(changed)).toEqual(["always", "join", "last", "right"]);
  expect(changed.output.said).toBe("l+R");

  expect((await json("run", "why", "same", "left")).steps[0]).toMatchObject({
    result: "hit",
    origin_run: "first",
  });
  expect((await json("run", "why", "changed", "right")).steps[0]).toMatchObject({
    result: "miss",
    nearest: { run_id: "first", differs: ["inputs.arguments[3]"] },
  });
  expect((await json("run", "why", "first", "left")).steps[0]).toMatchObject({
    result: "miss",
    nearest: null,
  });
  expect((await json("run", "why", "same", "always")).steps[0].result).toBe("uncached");
  // Without a step it says it of each.
  const all = (await json("run", "why", "same")).steps as { step_id: string; result: string }[];
  const steps = (await json("run", "get", "same")).steps as { step_id: string }[];
  expect(all.map(({ step_id }) => step_id)).toEqual(steps.map(({ step_id }) => step_id));
}, 60_000);

test("an edit of one step's text runs that step and those whose inputs it changes; --no-cache runs all", async () => {
  const text = readFileSync(workflow, "utf8");
  writeFileSync(workflow, text.replace('.steps.left.output + "+"', '.steps.left.output + "-"'));
  try {
    const edited = await start("edited", "--set", "seed=1");
    expect(executed(edited)).toEqual(["always", "join", "last"]);
    expect(edited.output.said).toBe("l-r");
    expect((await json("run", "why", "edited", "join")).steps[0].nearest.differs).toContain("definition");
  } finally {
    writeFileSync(workflow, text);
  }
  const all = await start("all", "--no-cache", "--set", "seed=1");
  expect(executed(all)).toEqual(["always", "join", "last", "left", "right"]);
  expect((await json("run", "why", "all", "left")).steps[0].reason).toContain("--no-cache");
}, 60_000);

test("outputs outlive a restart, and an artifact that is gone is made again", async () => {
  await host.stop();
  host = await startBinary(["up", "--port", "0", "--controller-port", "0", "--no-ctx"], box.env, project);
  expect(executed(await start("later", "--set", "seed=1"))).toEqual(["always"]);
  const [artifact] = (await json("run", "get", "later")).artifacts;
  rmSync(artifact.path);
  const again = await start("again", "--set", "seed=1");
  expect(executed(again)).toEqual(["always", "join"]);
  expect((await json("run", "why", "again", "join")).steps[0].reason).toContain("artifact");
  expect((await json("cache", "show")).entries).toBeGreaterThan(3);
  expect(await json("cache", "prune")).toMatchObject({ entries: 0 });
  expect(executed(await start("pruned", "--set", "seed=1"))).toEqual([
    "always",
    "join",
    "last",
    "left",
    "right",
  ]);
}, 60_000);

test("a seed that nobody gave is drawn and recorded; presets stand below inputs, and a file becomes an artifact", async () => {
  const drawn = await start("drawn");
  expect(Number.isSafeInteger(drawn.inputs.seed)).toBe(true);
  expect(drawn.output.seed).toBe(drawn.inputs.seed);

  writeFileSync(
    join(project, "lightflow/presets/loud.ts"),
    'export const PRESET = { workflow: "workflow.diamond", inputs: { left: "L", right: "P" } };\n',
  );
  const preset = await start("preset", "--preset", "loud", "--inputs", '{"right":"I"}', "--set", "seed=3");
  expect(preset.inputs).toEqual({ left: "L", right: "I", seed: 3 });
  expect((await run("run", "start", "workflow.diamond", "--preset", "loudd")).stderr).toContain(
    "did you mean loud?",
  );

  writeFileSync(join(box.path, "photo.txt"), "bytes");
  const put = await json("artifact", "put", join(box.path, "photo.txt"));
  expect(put).toMatchObject({ size: 5, media_type: "text/plain", name: "photo.txt" });
  expect((await run("artifact", "get", put.sha256)).stdout).toBe("bytes");
  const filed = await start("filed", "--inputs", `left=@${join(box.path, "photo.txt")}`, "--set", "seed=1");
  expect(filed.inputs.left).toBe(`sha256:${put.sha256}`);
}, 60_000);
