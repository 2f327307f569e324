import { afterEach, beforeEach, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openArtifacts } from "../../artifacts/index.ts";
import { ManualClock } from "../../base/clock.ts";
import { beginSubmit, listEvents, planOfRun, Store } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { service } from "../index.ts";
import { callOperation } from "../operation.ts";
import { localPrincipal } from "../principal.ts";

let directory: string;
let store: Store;
let clock: ManualClock;
let context: ServiceContext;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "plans-"));
  cpSync(join(import.meta.dir, "../../../lightflow"), join(directory, "lightflow"), { recursive: true });
  store = Store.open(join(directory, "store.db"));
  clock = new ManualClock();
  context = {
    views: store,
    records: store,
    artifacts: openArtifacts(join(directory, "artifacts")),
    logs: { read: async () => new Uint8Array() },
    clock,
    tenantId: "default",
    principal: localPrincipal("default"),
    root: directory,
    place: { mount: join(directory, "ctx"), uid: 7 },
    trustsPaths: true,
    version: "0",
    stateDirectory: directory,
    orchestration: null,
  } as unknown as ServiceContext;
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

const call = (name: keyof typeof service, input: object) =>
  callOperation(service[name] as never, context, input) as Promise<never>;
const create = (run_id: string) =>
  call("createRun", { workflow_asset_id: "workflow.text_plan", run_id, inputs: { prompt: "x" } });
const plan = (run_id: string) => planOfRun({ all: store_all, get: store_get } as never, "default", run_id);
const store_all = (sql: string, ...values: never[]) => store.read((tx) => tx.all(sql, ...values), null);
const store_get = (sql: string, ...values: never[]) => store.read((tx) => tx.get(sql, ...values), null);

test("a clock that jumps back leaves the order of events and makes no time negative", async () => {
  await create("back");
  clock.setWall(clock.wall() - 86_400_000);
  await call("submitStep", { run_id: "back", step_id: "draft" });
  const outbox = join(directory, "ctx/home/7/api/openai.chat/outbox");
  mkdirSync(outbox, { recursive: true });
  writeFileSync(join(outbox, "back.draft.resp.json"), "{}");
  await call("refreshRun", { run_id: "back" });
  const { instance } = plan("back");
  const events = store.read(listEvents, { instanceId: instance.id, runId: "back", after: 0, limit: 10 });
  expect(events.map(({ seq, event }) => [seq, event])).toEqual([
    [1, "run.created"],
    [2, "step.submitted"],
    [3, "step.succeeded"],
  ]);
  expect(await call("getRun", { run_id: "back" })).toMatchObject({ status: "succeeded", duration_ms: 0 });
});

test("a process that died while it committed a request: what is there was submitted, what is not can be", async () => {
  for (const [run, committed] of [
    ["gone", true],
    ["kept", false],
  ] as const) {
    await create(run);
    const [step] = plan(run).steps;
    await store.write(beginSubmit, {
      tenantId: "default",
      runId: run,
      stepId: "draft",
      owner: "another-boot/1/1",
      alive: () => false,
      requestId: step!.request_id,
      record: step!.record,
    });
    const inbox = join(directory, "ctx/home/7/api/openai.chat/inbox");
    mkdirSync(inbox, { recursive: true });
    if (committed) writeFileSync(join(inbox, `${run}.draft.req.json`), "{}");
  }
  // Not known to be committed: shown as planned.
  expect(await call("getRun", { run_id: "gone" })).toMatchObject({ steps: [{ status: "planned" }] });
  expect(await call("refreshRun", { run_id: "gone" })).toMatchObject({ steps: [{ status: "submitted" }] });
  expect(await call("refreshRun", { run_id: "kept" })).toMatchObject({ steps: [{ status: "planned" }] });
  expect(await call("submitStep", { run_id: "kept", step_id: "draft" })).toMatchObject({
    steps: [{ status: "submitted", cortex: { request_id: "kept.draft" } }],
  });
});

test("two requests never get one name, also where dots make them read alike", async () => {
  await create("a.draft");
  writeFileSync(
    join(directory, "lightflow/workflows/dots.ts"),
    `import { workflow } from "../preload/lightflow.ts";
export const META = { id: "workflow.dots", title: "D", kind: "workflow", description: "d", stability: "draft" } as const;
export function define() {
  return workflow(META.id).requiredModel("llm.planner").apiStep("draft.draft", "node.llm_prompt", "openai.chat");
}
`,
  );
  await call("createRun", { workflow_asset_id: "workflow.dots", run_id: "a", inputs: {} });
  expect(plan("a.draft").steps[0]!.request_id).toBe("a.draft.draft");
  expect(plan("a").steps[0]!.request_id).toBe("a.draft.draft.2");
});
