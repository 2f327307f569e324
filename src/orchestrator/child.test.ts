import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../test/support/until.ts";
import { openArtifacts } from "../artifacts/index.ts";
import { digestOf } from "../base/canonical.ts";
import { ManualClock } from "../base/clock.ts";
import type { Json, JsonObject } from "../base/json.ts";
import { silentLog } from "../base/log.ts";
import { findRun, listRuns, receiveEvent, Store } from "../store/index.ts";
import { compareVersions } from "../store/instances/publications.ts";
import { Orchestrator } from "./index.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function stage() {
  const directory = mkdtempSync(join(tmpdir(), "children-"));
  const store = Store.open(join(directory, "store.db"));
  const artifacts = openArtifacts(join(directory, "artifacts"));
  const orchestrator = new Orchestrator({ store, artifacts, clock: new ManualClock(), log: silentLog });
  closers.push(async () => {
    orchestrator.stop();
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const document = (name: string, tasks: JsonObject[], version = "1.0.0"): JsonObject => ({
    document: { dsl: "1.0.3", namespace: "t", name, version },
    do: tasks,
  });
  const publish = (name: string, tasks: JsonObject[], version?: string) => {
    const made = document(name, tasks, version);
    return orchestrator.publish("default", made, digestOf(made));
  };
  const start = (tasks: JsonObject[], input: Json = {}) => {
    const made = document("parent", tasks);
    const parts = { tenantId: "default", runId: "p", idempotent: false, sourceEventId: null, workflow: "p" };
    return orchestrator.start({ ...parts, assetId: null, document: made, digest: digestOf(made), input });
  };
  const runs = () => store.read(listRuns, { tenantId: "default", limit: 100 });
  const parent = () => {
    const row = store.read(findRun, { tenantId: "default", runId: "p" });
    const { output, error } = JSON.parse(row.snapshot) as { output: Json; error?: JsonObject };
    return { status: row.status, output, error };
  };
  return { store, orchestrator, publish, start, runs, parent };
}

const calls = (name: string, more: JsonObject = {}, version = "latest"): JsonObject => ({
  c: { run: { workflow: { namespace: "t", name, version, input: { n: "${ .n }" } }, ...more } },
});
const listen = { l: { listen: { to: { one: { with: { type: "go" } } } } } };
const go = { specversion: "1.0", id: "1", source: "/t", type: "go", data: 5 };

test("a task runs a published workflow and its output is the task's", async () => {
  const { publish, start, parent } = stage();
  expect(await publish("double", [{ d: { set: { n: "${ .n * 2 }" } } }])).toMatchObject({ created: true });
  expect(await publish("double", [{ d: { set: { n: "${ .n * 2 }" } } }])).toMatchObject({ created: false });
  await start([calls("double")], { n: 4 });
  expect(parent()).toMatchObject({ status: "completed", output: { n: 8 } });
});

test("a workflow that waits lets its parent wait", async () => {
  const { publish, start, parent, store, runs } = stage();
  await publish("slow", [listen]);
  await start([calls("slow")]);
  expect(parent().status).toBe("waiting");
  expect(runs().map(({ run_id }) => run_id)).toContain("p.e1");
  await store.write(receiveEvent, { tenantId: "default", event: go, lane: null, now: 1 });
  await until(() => parent().status === "completed");
  expect(parent().output).toEqual([5]);
});

test("an error of the workflow is the task's, at the task's own place, and may be caught there", async () => {
  const { publish, start, parent } = stage();
  await publish("bad", [{ r: { raise: { error: { type: "urn:x", status: 418 } } } }]);
  await start([calls("bad")]);
  expect(parent()).toMatchObject({
    status: "faulted",
    error: { type: "urn:x", status: 418, instance: "/do/0/c" },
  });
});

test("cancelling the parent cancels what it runs", async () => {
  const { publish, start, orchestrator, runs } = stage();
  await publish("slow", [listen]);
  await start([calls("slow")]);
  await orchestrator.cancel("default", "p", "enough");
  expect(runs().map(({ status }) => status)).toEqual(["cancelled", "cancelled"]);
});

test("nobody waits for a workflow with `await: false`", async () => {
  const { publish, start, parent, runs } = stage();
  await publish("slow", [listen]);
  await start([calls("slow", { await: false })], { n: 1 });
  expect(parent()).toMatchObject({ status: "completed", output: { n: 1 } });
  expect(runs().find(({ run_id }) => run_id !== "p")?.status).toBe("waiting");
});

test("a workflow that is not published faults the task; workflows that run themselves are stopped", async () => {
  const missing = stage();
  await missing.start([calls("nowhere")]);
  expect(missing.parent().error).toMatchObject({ status: 400, detail: expect.stringContaining("t/nowhere") });
  const endless = stage();
  await endless.publish("loop", [calls("loop")]);
  await endless.start([calls("loop")]);
  expect(endless.parent().error).toMatchObject({ detail: expect.stringContaining("levels deep") });
});

test("a published version never changes, and the latest is the highest", async () => {
  const { publish, start, parent } = stage();
  await publish("v", [{ s: { set: { v: 10 } } }], "1.10.0");
  await publish("v", [{ s: { set: { v: 9 } } }], "1.9.0");
  await publish("v", [{ s: { set: { v: 11 } } }], "1.11.0-rc.1");
  expect(publish("v", [{ s: { set: { v: 0 } } }], "1.9.0")).rejects.toThrow("other content");
  await start([calls("v", {}, "1.9.0"), { s: { set: { old: "${ .v }" } } }]);
  expect(parent().output).toEqual({ old: 9 });
  const order = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.9.0", "1.10.0"];
  expect([...order].reverse().sort(compareVersions)).toEqual(order);
});

test("a published workflow whose secret is not set does not begin, and whoever runs it is told its name", async () => {
  const { orchestrator, start, parent, runs } = stage();
  const child: JsonObject = {
    document: { dsl: "1.0.3", namespace: "t", name: "deploy", version: "1.0.0" },
    use: { secrets: ["token"] },
    do: [{ d: { set: { n: 1 } } }],
  };
  await orchestrator.publish("default", child, digestOf(child));
  await start([calls("deploy")], { n: 4 });
  expect(parent()).toMatchObject({
    status: "faulted",
    error: { detail: "the workflow needs secrets that are not set: token" },
  });
  expect(runs()).toHaveLength(1);
});
