import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sandbox } from "../support/binary.ts";
import { type Started, startBinary } from "../support/processes.ts";

const box = sandbox("lf http");
const project = join(box.path, "project");
const env = { ...box.env, LIGHTFLOW_CTX_MOUNT: join(box.path, "ctx"), LIGHTFLOW_CTX_UID: "1000" };
const inbox = join(box.path, "ctx/home/1000/api/openai.chat/inbox");
let up: Started;

beforeAll(async () => {
  mkdirSync(project, { recursive: true });
  mkdirSync(inbox, { recursive: true });
  cpSync(join(import.meta.dir, "../../lightflow"), join(project, "lightflow"), {
    recursive: true,
    filter: (path) => !path.endsWith(".test.ts"),
  });
  up = await startBinary(
    ["up", "--no-runner", "--no-ctx", "--port", "0", "--controller-port", "0"],
    env,
    project,
  );
});
afterAll(async () => {
  await up.stop();
  box.remove();
});

const PROMPT = { prompt: "Write a migration plan" };
const ask = async (path: string, init: RequestInit = {}) => {
  const response = await fetch(`${up.ready["gateway"]}${path}`, init);
  return { status: response.status, body: (await response.json()) as Record<string, never> };
};
const post = (path: string, body: object) =>
  ask(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });

test("the examples of the first interface: list, conventions, preview, create, submit, events", async () => {
  const list = await ask("/workflows");
  expect(JSON.stringify(list.body["assets"])).toContain("workflow.text_plan");
  expect((await ask("/ctx/abi")).body).toMatchObject({
    mode: "userspace",
    kernel: "fuse",
    uid: 1000,
  } as never);
  const request = { workflow_asset_id: "workflow.text_plan", run_id: "run-001", inputs: PROMPT };
  expect(await post("/runs/preview", request)).toMatchObject({ status: 200, body: { ready: true } as never });
  expect(await post("/runs", request)).toMatchObject({ status: 202, body: { run_id: "run-001" } as never });
  expect((await post("/runs", request)).status).toBe(409);
  // Without a body the step's template is rendered, whatever the content type says.
  const submitted = await ask("/runs/run-001/steps/draft/submit", { method: "POST" });
  expect(submitted).toMatchObject({ status: 202 });
  const [step] = submitted.body["steps"] as unknown as { status: string; submitted_request_path: string }[];
  expect(step!.status).toBe("submitted");
  expect(JSON.parse(readFileSync(step!.submitted_request_path, "utf8"))).toEqual({
    messages: [{ content: "Write a migration plan", role: "user" }],
  });
  expect((await ask("/runs/run-001/status")).body).toMatchObject({
    status: "running",
    submitted_steps: 1,
  } as never);
  const lines = await fetch(`${up.ready["gateway"]}/runs/run-001/events`, {
    headers: { accept: "application/x-ndjson" },
  });
  expect(
    (await lines.text())
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { event: string }).event),
  ).toEqual(["run.created", "step.submitted"]);
});

test("a body of a submission is sent byte for byte, and too much of it is refused before anything is written", async () => {
  const request = { workflow_asset_id: "workflow.text_plan", run_id: "run-002", inputs: PROMPT };
  await post("/runs", request);
  const submit = (body: Uint8Array) =>
    ask("/runs/run-002/steps/draft/submit", {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
  expect((await submit(new Uint8Array(17 * 1024 * 1024))).status).toBe(413);
  const bytes = Buffer.from('{"model":"demo",  "messages":[]}\n');
  const { status, body } = await submit(bytes);
  expect(status).toBe(202);
  const [step] = body["steps"] as unknown as { submitted_request_path: string }[];
  expect(readFileSync(step!.submitted_request_path)).toEqual(bytes);
});
