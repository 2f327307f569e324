import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { runBinary, sandbox } from "../support/binary.ts";

const box = sandbox("lf steps");
const project = join(box.path, "project");
const env = { ...box.env, LIGHTFLOW_CTX_MOUNT: join(box.path, "ctx"), LIGHTFLOW_CTX_UID: "1000" };
const inbox = join(box.path, "ctx/home/1000/api/openai.chat/inbox");
const outbox = join(box.path, "ctx/home/1000/api/openai.chat/outbox");
const PROMPT = '{"prompt":"Write a migration plan"}';

const run = (args: string[], more: { env?: Record<string, string>; stdin?: string } = {}) =>
  runBinary(args, {
    env: { ...env, ...more.env },
    cwd: project,
    ...(more.stdin === undefined ? {} : { stdin: more.stdin }),
  });
/** The answer of a command that succeeds. */
async function json(...args: string[]) {
  const { code, stdout, stderr } = await run(args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}
async function refusal(...args: string[]) {
  const { code, stdout, stderr } = await run(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  return stderr.trimEnd();
}
const create = (id: string) => json("run", "create", "workflow.text_plan", "--id", id, "--inputs", PROMPT);
function answer(request: string, text = '{"id":"x"}', kind = "resp.json") {
  mkdirSync(outbox, { recursive: true });
  writeFileSync(join(outbox, `${request}.fingerprint`), "fnv1a64:00000000deadbeef\n");
  writeFileSync(
    join(outbox, `${request}.route.json`),
    '{"provider":"demo","model":"m1","reason":"only one"}\n',
  );
  writeFileSync(join(outbox, `${request}.${kind}`), text);
}

beforeAll(() => {
  mkdirSync(project, { recursive: true });
  cpSync(join(import.meta.dir, "../../lightflow"), join(project, "lightflow"), {
    recursive: true,
    filter: (path) => !path.endsWith(".test.ts"),
  });
});
afterAll(box.remove);

test("the life of a run taken step by step: plan, refuse the same id, submit once, observe, look back", async () => {
  const preview = await json("run", "preview", "workflow.text_plan", "--id", "run-001", "--inputs", PROMPT);
  expect(Object.keys(preview)).toEqual(["run_id", "workflow", "definition", "ready", "issues", "steps"]);
  expect(preview).toMatchObject({ run_id: "run-001", ready: true, issues: [] });
  expect(preview.steps[0]).toMatchObject({
    step_id: "draft",
    target: { kind: "api", format: "openai.chat" },
    request_template: { kind: "openai_chat_prompt", model_alias: "llm.planner", input_field: "prompt" },
    rendered_request: { messages: [{ content: "Write a migration plan", role: "user" }] },
  });
  for (const name of ["ctx", "state", "cache"]) expect(existsSync(join(box.path, name))).toBe(false);
  expect(JSON.parse((await run(["run", "list"])).stdout)).toMatchObject({ runs: [] });

  const created = await create("run-001");
  expect(Object.keys(created)).toEqual(["run_id", "workflow_asset_id", "cancelled", "steps"]);
  expect(Object.keys(created.steps[0])).toEqual([
    "step_id",
    "node_or_composition_id",
    "cortex",
    "status",
    "submitted_request_path",
    "response_path",
    "error_path",
    "provider_id",
    "model_id",
    "route_decision",
    "fingerprint",
    "audit_correlation",
    "output_artifacts",
  ]);
  expect(created.steps[0].status).toBe("planned");
  expect(created.steps[0].cortex.commit_request).toBe(join(inbox, "run-001.draft.req.json"));
  expect(
    await refusal("run", "create", "workflow.text_plan", "--id", "run-001", "--inputs", PROMPT),
  ).toStartWith("conflict: run run-001 already exists");

  const listed = (await json("run", "list")).runs;
  expect(listed).toHaveLength(1);
  expect(listed[0]).toMatchObject({ ...created, status: "planned" });
  expect(await json("run", "status", "run-001")).toEqual({
    run_id: "run-001",
    workflow_asset_id: "workflow.text_plan",
    status: "planned",
    total_steps: 1,
    planned_steps: 1,
    submitted_steps: 0,
    cancelled_steps: 0,
    succeeded_steps: 0,
    failed_steps: 0,
  });
  expect(await json("run", "request", "run-001")).toEqual({
    run_id: "run-001",
    workflow_asset_id: "workflow.text_plan",
    inputs: { prompt: "Write a migration plan" },
  });
  expect(await json("run", "workflow", "run-001")).toMatchObject({
    id: "workflow.text_plan",
    required_models: ["llm.planner"],
  });

  // An answer that nobody asked for is nobody's: a step that was not submitted is never done.
  answer("run-001.draft");
  expect((await json("run", "refresh", "run-001")).steps[0].status).toBe("planned");

  const submitted = await json("run", "submit", "run-001", "draft");
  const { cortex } = submitted.steps[0];
  expect(submitted.steps[0]).toMatchObject({
    status: "submitted",
    submitted_request_path: cortex.commit_request,
  });
  // The name was used, by whoever: the request gets one of its own.
  expect(cortex.request_id).toBe("run-001.draft.2");
  expect(readFileSync(cortex.commit_request, "utf8")).toBe(
    '{"messages":[{"content":"Write a migration plan","role":"user"}]}',
  );
  expect(readdirSync(inbox)).toEqual(["run-001.draft.2.req.json"]);
  expect(await refusal("run", "submit", "run-001", "draft", "{}")).toStartWith(
    "conflict: run step draft is already submitted",
  );
  expect(readFileSync(cortex.commit_request, "utf8")).toContain("migration");
  expect((await json("run", "refresh", "run-001")).steps[0].status).toBe("submitted");

  answer("run-001.draft.2", '{"choices":[]}');
  const done = await json("run", "refresh", "run-001");
  expect(done.steps[0]).toMatchObject({
    status: "succeeded",
    response_path: cortex.response,
    provider_id: "demo",
    model_id: "m1",
    route_decision: "only one",
    fingerprint: "fnv1a64:00000000deadbeef",
    output_artifacts: [cortex.response],
  });
  expect(await json("run", "refresh", "run-001")).toEqual(done);
  expect(await json("run", "status", "run-001")).toMatchObject({ status: "succeeded", succeeded_steps: 1 });

  const lines = async (what: string) =>
    (await run(["run", what, "run-001"])).stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  const events = await lines("events");
  expect(events.map(({ seq, event, step_id, detail }) => [seq, event, step_id, detail])).toEqual([
    [1, "run.created", null, "workflow.text_plan"],
    [2, "step.submitted", "draft", cortex.commit_request],
    [3, "step.succeeded", "draft", "fnv1a64:00000000deadbeef"],
  ]);
  for (const { ts } of events) expect(new Date(ts).toISOString()).toBe(ts);
  expect((await lines("trace")).map(({ seq, event, path }) => [seq, event, path])).toEqual([
    [1, "cortex.request.committed", cortex.commit_request],
    [2, "cortex.response.observed", cortex.response],
  ]);

  const directory = join(box.path, "state/lightflow/runs/run-001");
  expect(readdirSync(directory).sort()).toEqual([
    "events.jsonl",
    "manifest.json",
    "outputs",
    "request.json",
    "resolved_workflow.json",
    "trace.jsonl",
  ]);
  expect(readFileSync(join(directory, "manifest.json"), "utf8")).toBe(`${JSON.stringify(done, null, 2)}\n`);
  expect(readFileSync(join(directory, "outputs/draft.json"), "utf8")).toBe('{"choices":[]}');
  expect((await run(["db", "check"])).code).toBe(0);
});

test("bodies go byte for byte: a text, a file, stdin, and nothing at all", async () => {
  writeFileSync(join(project, "body.bin"), new Uint8Array([0xff, 0x00, 0x7b]));
  for (const [id, body, stdin, bytes] of [
    ["text", "not { json", undefined, Buffer.from("not { json")],
    ["file", "@body.bin", undefined, Buffer.from([0xff, 0x00, 0x7b])],
    ["pipe", "-", "from a pipe", Buffer.from("from a pipe")],
    ["empty", "", undefined, Buffer.alloc(0)],
  ] as const) {
    await create(id);
    const { code } = await run(["run", "submit", id, "draft", body], stdin === undefined ? {} : { stdin });
    expect(code).toBe(0);
    expect(readFileSync(join(inbox, `${id}.draft.req.json`))).toEqual(bytes);
  }
});

test("a cancelled run stays cancelled, whatever comes afterwards, and an error is an outcome", async () => {
  await create("stopped");
  await json("run", "submit", "stopped", "draft");
  const cancelled = await json("run", "cancel", "stopped");
  expect(cancelled).toMatchObject({ cancelled: true, status: "cancelled" });
  answer("stopped.draft");
  expect((await json("run", "refresh", "stopped")).steps[0].status).toBe("cancelled");
  expect(await json("run", "cancel", "stopped")).toMatchObject({ status: "cancelled" });
  const events = (await run(["run", "events", "stopped"])).stdout;
  expect(events.match(/run\.cancelled/g)).toHaveLength(1);
  expect(await refusal("run", "submit", "stopped", "draft")).toStartWith(
    "conflict: run step draft is already cancelled",
  );

  await create("refused");
  await json("run", "submit", "refused", "draft");
  answer("refused.draft", '{"error":"no model","code":"unavailable"}', "error");
  expect((await json("run", "refresh", "refused")).steps[0]).toMatchObject({ status: "failed" });
  expect(await json("run", "get", "refused")).toMatchObject({
    status: "failed",
    error: { detail: "no model" },
  });
});

test("of many that create one id at once exactly one wins, and two runs never share a request id", async () => {
  const racers = await Promise.all(
    Array.from({ length: 6 }, () =>
      run(["run", "create", "workflow.text_plan", "--id", "race", "--inputs", PROMPT]),
    ),
  );
  expect(racers.map(({ code }) => code).sort()).toEqual([0, 2, 2, 2, 2, 2]);
  for (const { code, stdout, stderr } of racers)
    expect(code === 0 ? stderr : stdout + stderr.slice(0, 8)).toBe(code === 0 ? "" : "conflict");

  const submits = await Promise.all(Array.from({ length: 4 }, () => run(["run", "submit", "race", "draft"])));
  expect(submits.map(({ code }) => code).sort()).toEqual([0, 2, 2, 2]);
  expect(readdirSync(inbox).filter((name) => name.startsWith("race."))).toEqual(["race.draft.req.json"]);

  const ids = (await json("run", "list")).runs.flatMap(
    (each: { steps: { cortex: { request_id: string } }[] }) =>
      each.steps.map((step) => step.cortex.request_id),
  );
  expect(new Set(ids).size).toBe(ids.length);
});

test("what stands against a run is told all at once, and nothing is kept", async () => {
  const preview = await json("run", "preview", "workflow.text_plan");
  expect(preview.ready).toBe(false);
  expect(preview.issues[0]).toBe("run input field prompt is required for step draft");
  const wrong = await json("run", "preview", "workflow.text_plan", "--inputs", '{"prompt":7}');
  expect(wrong.issues[0]).toBe("run input field prompt must be a string for step draft");
  expect(await refusal("run", "create", "workflow.text_plan", "--id", "bad")).toStartWith(
    "invalid request: run input field prompt is required for step draft; ",
  );
  expect(await refusal("run", "get", "bad")).toStartWith("not found: run bad");
  expect(await refusal("run", "create", "workflow.nope")).toStartWith(
    "not found: workflow asset workflow.nope",
  );
  for (const id of ["..", ".", "a/b", "a b", ""]) {
    expect(await refusal("run", "create", "workflow.text_plan", "--id", id, "--inputs", PROMPT)).toStartWith(
      `invalid run id path segment: ${id}`,
    );
  }
  const twice = await run(["run", "create", "workflow.text_plan", "--inputs", '{"prompt":"a","prompt":"b"}']);
  expect({ code: twice.code, stdout: twice.stdout }).toEqual({ code: 1, stdout: "" });
  expect(twice.stderr).toContain("--inputs is not valid JSON");
  const missing = await run(["run", "create", "workflow.text_plan", "--inputs", "@no-such-file"]);
  expect({ code: missing.code, stdout: missing.stdout }).toEqual({ code: 1, stdout: "" });
  expect(await refusal("run", "submit", "run-001", "other")).toStartWith(
    "not found: step other of run run-001",
  );
  expect(await refusal("run", "create", "workflow.text_plan", "--id", "a", "--id", "b")).toStartWith(
    "duplicate flag --id",
  );
  expect(await refusal("run", "create", "workflow.text_plan", "--id")).toStartWith("missing value for --id");
  expect(await refusal("run", "create", "workflow.text_plan", "--idd", "b")).toStartWith(
    "unexpected argument for run create: --idd",
  );
  expect(await refusal("run", "submit", "run-001")).toStartWith("missing step id");
  expect(await refusal("run", "submit", "run-001", "draft", "{}", "more")).toStartWith(
    "unexpected argument for run submit: more",
  );
});

test("path records name the files of /ctx, and each variable counts alone", async () => {
  const at = join(box.path, "ctx");
  const abi = await json("ctx", "abi");
  expect(Object.keys(abi)).toEqual(
    "mount uid home mode kernel kernel_tree abi upstream policy non_goals".split(" "),
  );
  expect(abi).toMatchObject({ mount: at, uid: 1000, home: `${at}/home/1000`, mode: "userspace" });
  const api = await json("ctx", "api", "openai.chat", "step-001");
  expect(Object.keys(api)).toEqual(
    "target request_id inbox_dir outbox_dir staged_request commit_request response error fingerprint route_metadata".split(
      " ",
    ),
  );
  expect(api.staged_request).toBe(join(inbox, "step-001.tmp"));
  expect((await json("ctx", "tool", "search", "s")).route_metadata).toBe(null);
  expect((await json("ctx", "thread", "t", "s")).inbox_dir).toBe(`${at}/home/1000/thread/t/inbox`);
  expect(await json("ctx", "chan", "fengying")).toEqual({
    channel_id: "fengying",
    root: `${at}/chan/fengying`,
    url: `${at}/chan/fengying/url`,
    keyref: `${at}/chan/fengying/keyref`,
    formats: `${at}/chan/fengying/fmt`,
    model_filter: `${at}/chan/fengying/mod`,
    enabled: `${at}/chan/fengying/enabled`,
    status: `${at}/chan/fengying/status`,
    local_url: `${at}/chan/fengying/localurl`,
  });
  const job = await json("ctx", "job", "translate.zh");
  expect(Object.keys(job)).toEqual("target job_id job_dir spec request output status".split(" "));
  expect(job.target).toEqual({ job_id: "translate.zh" });
  const hook = await json("ctx", "hook", "daily-translate");
  expect(Object.keys(hook)).toEqual(
    "target hook_id hook_dir trigger spec request output status last log".split(" "),
  );
  for (const [kind, label] of [
    ["chan", "channel_id"],
    ["job", "job_id"],
    ["hook", "hook_id"],
  ] as const) {
    for (const bad of ["..", ".", "a_b", "a/b"]) {
      expect(await refusal("ctx", kind, bad)).toStartWith(`invalid ${label} path segment: ${bad}`);
    }
  }
  expect(await refusal("ctx", "api", "openai", "s")).toStartWith(
    "invalid api_format UnsupportedValue: openai",
  );
  expect(await refusal("ctx", "api", "openai.chat")).toStartWith("missing step id");

  const only = async (variables: Record<string, string>) =>
    JSON.parse((await runBinary(["ctx", "abi"], { env: { ...box.env, ...variables }, cwd: project })).stdout);
  expect(await only({ LIGHTFLOW_CTX_UID: "7" })).toMatchObject({
    mount: "/ctx",
    uid: 7,
    home: "/ctx/home/7",
  });
  expect(await only({ LIGHTFLOW_CTX_MOUNT: "/m" })).toMatchObject({ mount: "/m", uid: process.getuid!() });
  const bad = await run(["ctx", "abi"], { env: { LIGHTFLOW_CTX_UID: "me" } });
  expect({ code: bad.code, stdout: bad.stdout }).toEqual({ code: 2, stdout: "" });
  expect(bad.stderr).toStartWith("invalid LIGHTFLOW_CTX_UID: ");
});

test("a request that cannot be committed leaves the step planned and nothing in the inbox", async () => {
  const at = join(box.path, "blocked");
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(at, "a file where the mount should be");
  const variables = { LIGHTFLOW_CTX_MOUNT: at };
  const inputs = ["--inputs", PROMPT];
  expect(
    (await run(["run", "create", "workflow.text_plan", "--id", "blocked", ...inputs], { env: variables }))
      .code,
  ).toBe(0);
  const refused = await run(["run", "submit", "blocked", "draft"], { env: variables });
  expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 4, stdout: "" });
  expect(refused.stderr).toContain("no CortexFS serves");
  expect((await json("run", "get", "blocked")).steps[0].status).toBe("planned");
});
