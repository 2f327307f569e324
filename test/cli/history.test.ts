import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { childEnvironment } from "../../src/base/child-env.ts";
import { binary, runBinary, sandbox } from "../support/binary.ts";
import { type Started, startBinary } from "../support/processes.ts";

const box = sandbox("lf history");
const project = join(box.path, "project");
const flag = join(box.path, "broken");
let host: Started;

/** `second` fails while the file of the host that `broken` names is there. */
const SOURCE = String.raw`import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.line",
  title: "Line",
  kind: "workflow",
  description: "Three steps.",
  stability: "draft",
} as const satisfies AssetMeta;

const SAY = 'printf "\\"%s\\"" "$1" >"$LIGHTFLOW_OUTPUT"; printf "%s" "$1" >said.txt';
const CHECK = 'test ! -e "$2/broken" && printf "\\"%s\\"" "$1" >"$LIGHTFLOW_OUTPUT"';

export function define() {
  return workflow(META.id)
    .input("text", { type: "string", default: "t" })
    .input("times", { type: "integer", default: 1 })
    .input("place", { type: "path", required: true })
    .commandStep("first", { command: "sh", arguments: ["-c", SAY, "sh", "$! .inputs.text }"], output: "json", workspace: "ephemeral", artifacts: [{ path: "said.txt" }] })
    .commandStep("second", {
      command: "sh",
      arguments: ["-c", CHECK, "sh", "$! .steps.first.output }", "$! .inputs.place }"],
      output: "json",
      workspace: "ephemeral",
      mounts: [{ source: "$! .inputs.place }" }],
    })
    .commandStep("third", { command: "sh", arguments: ["-c", SAY, "sh", '$! .steps.second.output + (.inputs.times | tostring) }'], output: "json", workspace: "ephemeral" })
    .output({ said: "$! .steps.third.output }" });
}
`.replaceAll("$!", "${");

const run = (...args: string[]) => runBinary(args, { env: box.env, cwd: project });
async function json(...args: string[]) {
  const { code, stdout, stderr } = await run(...args);
  if (code !== 0) throw new Error(`${args.join(" ")}: ${code} ${stderr}${stdout}`);
  return JSON.parse(stdout);
}
async function refusal(...args: string[]) {
  const { code, stdout, stderr } = await run(...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  return stderr;
}
const ended = async (id: string) => {
  await run("run", "wait", id);
  return await json("run", "get", id);
};
const executed = (got: { steps: { step_id: string; kind: string; cached: boolean }[] }) =>
  got.steps
    .filter(({ kind, cached }) => kind === "run" && !cached)
    .map(({ step_id }) => step_id)
    .sort();

beforeAll(async () => {
  expect((await runBinary(["init", "project"], { env: box.env, cwd: box.path })).code).toBe(0);
  writeFileSync(join(project, "lightflow/workflows/line.ts"), SOURCE);
  host = await startBinary(["up", "--port", "0", "--controller-port", "0", "--no-ctx"], box.env, project);
});
afterAll(async () => {
  await host.stop();
  box.remove();
});

const place = ["--set", `place=${box.path}`];

test("a failed run is tried again from the failed step, and from any step that is named", async () => {
  writeFileSync(flag, "");
  await json("run", "start", "workflow.line", "--id", "broken", ...place);
  expect(await ended("broken")).toMatchObject({ status: "failed" });
  rmSync(flag);

  expect(await json("run", "retry", "broken", "--id", "mended")).toMatchObject({
    from: "second",
    reused: ["first"],
  });
  const mended = await ended("mended");
  expect(mended).toMatchObject({ status: "succeeded", output: { said: "t1" } });
  expect(executed(mended)).toEqual(["second", "third"]);
  expect(mended.steps[0]).toMatchObject({ step_id: "first", cached: true, origin_run: "broken" });
  expect(mended.artifacts).toMatchObject([{ step_id: "first", name: "said.txt" }]);

  expect(await json("run", "retry", "mended", "--from", "third", "--id", "again")).toMatchObject({
    reused: ["first", "second"],
  });
  expect(executed(await ended("again"))).toEqual(["third"]);
  expect(await refusal("run", "retry", "mended")).toContain("no step of run mended failed");
  expect(await refusal("run", "retry", "mended", "--from", "nope")).toContain(
    "the run reached: first, second, third",
  );
}, 60_000);

test("a run is run again with another input, compared with the first, and rated", async () => {
  await json("run", "rerun", "mended", "--set", "times=2", "--id", "twice");
  const twice = await ended("twice");
  expect(twice.inputs).toMatchObject({ text: "t", times: 2 });
  expect(twice.output.said).toBe("t2");
  expect(executed(twice)).toEqual(["second", "third"]);

  const compared = await json("run", "compare", "mended", "twice");
  expect(compared).toMatchObject({
    same_definition: true,
    inputs: [{ path: "/times", a: 1, b: 2 }],
    output: [{ path: "/said", a: "t1", b: "t2" }],
    artifacts: [{ step_id: "first", name: "said.txt", same: true }],
  });
  expect(compared.steps).toHaveLength(3);

  await json("run", "rate", "twice", "third", "--score", "4.5", "--note", "better");
  expect((await json("run", "get", "twice")).ratings).toMatchObject([
    { step_id: "third", score: 4.5, note: "better", actor: `user:${process.getuid!()}` },
  ]);
  expect(await refusal("run", "rate", "twice", "nope", "--score", "1")).toContain("not found: step nope");
  expect(await refusal("run", "rate", "twice", "third", "--score", "much")).toContain(
    "--score must be a number",
  );
}, 60_000);

test("a replay runs everything and says what has drifted", async () => {
  const same = await json("run", "replay", "mended", "--id", "replayed");
  expect(same).toMatchObject({
    replayed_from: "mended",
    status: "succeeded",
    asset: { id: "workflow.line", drifted: false },
    output: { drifted: false },
  });
  expect(same.outputs.filter(({ drifted }: { drifted: boolean }) => drifted)).toEqual([]);
  expect(executed(await json("run", "get", "replayed"))).toEqual(["first", "second", "third"]);

  const path = join(project, "lightflow/workflows/line.ts");
  writeFileSync(path, `${SOURCE}// edited\n`);
  try {
    expect(await json("run", "replay", "mended")).toMatchObject({ drifted: true, asset: { drifted: true } });
  } finally {
    writeFileSync(path, SOURCE);
  }
}, 60_000);

test("a sweep is a run for each combination, and what does not vary runs once", async () => {
  const sweep = await json(
    ...["run", "sweep", "workflow.line", "--id", "grid", "--set", "times=1..3", "--set", "text=a,b"],
    ...["--inputs", JSON.stringify({ place: box.path })],
  );
  expect(
    sweep.runs.map((each: { parameters: object; output: { said: string } }) => [
      each.parameters,
      each.output.said,
    ]),
  ).toEqual([
    [{ text: "a", times: "1" }, "a1"],
    [{ text: "b", times: "1" }, "b1"],
    [{ text: "a", times: "2" }, "a2"],
    [{ text: "b", times: "2" }, "b2"],
    [{ text: "a", times: "3" }, "a3"],
    [{ text: "b", times: "3" }, "b3"],
  ]);
  expect(sweep.contact_sheet).toBe(null);
  expect(
    await refusal("run", "sweep", "workflow.line", "--set", "times=1..99", "--set", "text=a,b,c,d"),
  ).toContain("the sweep has 396 runs, the limit is 256");
}, 60_000);

/** A picture of the size that the sweep asks for. */
const PICTURE = `import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.picture",
  title: "Picture",
  kind: "workflow",
  description: "One image.",
  stability: "draft",
} as const satisfies AssetMeta;

export function define() {
  return workflow(META.id)
    .input("image", { type: "artifact", required: true })
    .input("width", { type: "integer", required: true })
    .step("small", "image.resize", { inputs: { image: "$! .inputs.image }", width: "$! .inputs.width }" } })
    .output({ image: "$! .steps.small.output.image }" });
}
`.replaceAll("$!", "${");

test("images that the runs of a sweep hand over are laid out on one sheet", async () => {
  writeFileSync(join(project, "lightflow/workflows/picture.ts"), PICTURE);
  const pixel = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==",
    "base64",
  );
  writeFileSync(join(box.path, "pixel.png"), await new Bun.Image(pixel).resize(64, 64).png().bytes());
  const { sha256 } = await json("artifact", "put", join(box.path, "pixel.png"));
  const sweep = await json(
    ...["run", "sweep", "workflow.picture", "--id", "pictures", "--set", "width=8..10"],
    ...["--inputs", JSON.stringify({ image: `sha256:${sha256}` })],
  );
  expect(sweep.runs.map(({ status }: { status: string }) => status)).toEqual(Array(3).fill("succeeded"));
  expect(sweep.contact_sheet).toMatchObject({ run_id: "pictures.sheet" });
  const out = join(box.path, "sheet.png");
  await json("artifact", "get", sweep.contact_sheet.sha256, "--output", out);
  expect(await new Bun.Image(await Bun.file(out).bytes()).metadata()).toMatchObject({ format: "png" });
}, 60_000);

test("a batch that is killed goes on where it was, and no job runs twice", async () => {
  const jobs = Array.from({ length: 12 }, (_, at) => ({ inputs: { place: box.path, text: `job${at}` } }));
  const file = join(box.path, "jobs.jsonl");
  writeFileSync(
    file,
    `${jobs.map((job) => JSON.stringify(job)).join("\n")}\n\n${JSON.stringify({ inputs: { place: 7 } })}\n`,
  );
  const child = Bun.spawn(
    [
      await binary(),
      "batch",
      "run",
      file,
      "--id",
      "many",
      "--workflow",
      "workflow.line",
      "--concurrency",
      "2",
    ],
    { env: childEnvironment(box.env), cwd: project, stdout: "ignore", stderr: "ignore" },
  );
  for (;;) {
    const { batches } = await json("batch", "list");
    if (batches[0]?.batch_id === "many" && batches[0].succeeded > 0) break;
    await Bun.sleep(20);
  }
  child.kill("SIGKILL");
  await child.exited;

  const resumed = await run("batch", "resume", "many");
  expect(resumed.code).toBe(3);
  expect(JSON.parse(resumed.stdout)).toMatchObject({
    jobs: 13,
    succeeded: 12,
    refused: 1,
    waiting: 0,
    running: 0,
  });
  expect(resumed.stderr).toContain("line 13: ");
  const { runs } = await json("run", "list", "--limit", "1000");
  const ids = runs
    .map(({ run_id }: { run_id: string }) => run_id)
    .filter((id: string) => id.startsWith("many."));
  expect(ids).toHaveLength(12);

  writeFileSync(
    file,
    '{"workflow":"workflow.line"}\n{"workflow":"workflow.line","workflow":"workflow.line"}\n',
  );
  const twice = await run("batch", "run", file, "--id", "bad");
  expect({ code: twice.code, stdout: twice.stdout }).toEqual({ code: 1, stdout: "" });
  expect(twice.stderr).toContain("jobs.jsonl:2: not valid JSON");
  const piped = await runBinary(["batch", "run", "-", "--id", "bad"], {
    env: box.env,
    cwd: project,
    stdin: '{"workflow":"workflow.line"}\n{"workflow":1}\n',
  });
  expect(piped).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("stdin:2: ") });
  expect((await json("batch", "list")).batches).toHaveLength(1);
  expect(await refusal("batch", "resume", "nope")).toContain("not found: batch nope");
}, 60_000);

test("pruning says what it would remove, then removes it with its bytes, and keeps what others name", async () => {
  const [artifact] = (await json("run", "get", "mended")).artifacts;
  const plan = await json("run", "prune", "--keep", "2", "--workflow", "workflow.line");
  expect(plan).toMatchObject({ dry_run: true, removed: 0 });
  expect(plan.runs).toContain("mended");
  expect((await json("run", "get", "mended")).status).toBe("succeeded");

  const done = await json("run", "prune", "--keep", "2", "--workflow", "workflow.line", "--apply");
  expect(done.removed).toBe(plan.runs.length);
  expect(await refusal("run", "get", "mended")).toStartWith("not found: run mended");
  const { runs } = await json("run", "list");
  const left = runs.filter(
    (each: { workflow_asset_id: string }) => each.workflow_asset_id === "workflow.line",
  );
  expect(left).toHaveLength(2);
  // The cache still names it.
  expect(existsSync(artifact.path)).toBe(true);
  expect(await json("db", "check")).toMatchObject({ problems: [] });

  await json("cache", "prune");
  await json("run", "start", "workflow.line", "--id", "last", "--set", "text=only", ...place);
  const [mine] = (await ended("last")).artifacts;
  await json("cache", "prune");
  const rest = await json("run", "prune", "--keep", "0", "--apply");
  expect(rest.artifacts).toBeGreaterThan(0);
  expect(existsSync(mine.path)).toBe(false);
  expect((await run("db", "check")).code).toBe(0);
}, 60_000);
