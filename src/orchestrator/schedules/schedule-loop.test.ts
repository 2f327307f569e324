import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../../test/support/until.ts";
import { openArtifacts } from "../../artifacts/index.ts";
import { digestOf } from "../../base/canonical.ts";
import { ManualClock } from "../../base/clock.ts";
import type { JsonObject } from "../../base/json.ts";
import { silentLog } from "../../base/log.ts";
import { findSchedule, listRuns, receiveEvent, Store } from "../../store/index.ts";
import { Orchestrator } from "../index.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const START = Date.parse("2026-01-01T11:59:00Z");
const KEY = { tenantId: "default", namespace: "t", name: "job" };

function stage() {
  const directory = mkdtempSync(join(tmpdir(), "schedules-"));
  const clock = new ManualClock(START);
  const open = () => {
    const store = Store.open(join(directory, "store.db"));
    const artifacts = openArtifacts(join(directory, "artifacts"));
    const orchestrator = new Orchestrator({ store, artifacts, clock, log: silentLog });
    const close = async () => {
      orchestrator.stop();
      await store.close();
    };
    closers.push(close);
    return { store, orchestrator, close };
  };
  closers.push(() => rmSync(directory, { recursive: true }));
  const first = open();
  const runs = () =>
    first.store
      .read(listRuns, { tenantId: "default", limit: 100 })
      .filter(({ workflow }) => workflow === "job")
      .reverse();
  return { ...first, clock, open, runs };
}

function publish(
  orchestrator: Orchestrator,
  schedule: JsonObject | null,
  version = "1.0.0",
  tasks?: JsonObject[],
) {
  const document: JsonObject = {
    document: { dsl: "1.0.3", namespace: "t", name: "job", version },
    ...(schedule === null ? {} : { schedule }),
    do: tasks ?? [{ keep: { set: { input: "${ $workflow.input }" } } }],
  };
  return orchestrator.publish("default", document, digestOf(document));
}

const output = (row: { snapshot: string }) => (JSON.parse(row.snapshot) as { output: JsonObject }).output;

test("a cron schedule starts one run for each due time, though two orchestrators look at it", async () => {
  const { orchestrator, clock, open, runs, store } = stage();
  open();
  await publish(orchestrator, { cron: "* * * * *" });
  clock.advance(60_000);
  await until(() => runs().length === 1);
  clock.advance(60_000);
  await until(() => runs().length === 2);
  await Bun.sleep(1100);
  expect(runs().map(({ run_id }) => run_id.split("-")[1])).toEqual([
    "20260101T120000000Z",
    "20260101T120100000Z",
  ]);
  expect(runs().map(({ status }) => status)).toEqual(["completed", "completed"]);
  expect(store.read(findSchedule, KEY)).toMatchObject({
    next_at: START + 180_000,
    last_run: runs()[1]!.run_id,
  });
});

test("what was due while nobody was there starts once, by its last time", async () => {
  const { orchestrator, clock, open, close } = stage();
  await publish(orchestrator, { every: { minutes: 1 } });
  await close();
  clock.advance(10 * 60_000 + 500);
  const { store } = open();
  const runs = () => store.read(listRuns, { tenantId: "default", limit: 100 });
  await until(() => runs().length > 0);
  expect(runs().map(({ run_id }) => run_id.split("-")[1])).toEqual(["20260101T120900000Z"]);
});

test("after waits from the end of the run, and the first run begins at once", async () => {
  const { orchestrator, clock, runs } = stage();
  await publish(orchestrator, { after: { seconds: 30 } }, "1.0.0", [{ w: { wait: "PT10S" } }]);
  await until(() => runs().length === 1);
  clock.advance(40_000);
  await until(() => runs()[0]!.finished_at !== null);
  await Bun.sleep(50);
  expect(runs()).toHaveLength(1);
  clock.advance(29_000);
  await Bun.sleep(50);
  expect(runs()).toHaveLength(1);
  clock.advance(1_000);
  await until(() => runs().length === 2);
});

const event = (type: string, id: string, data: JsonObject = {}): JsonObject => ({
  specversion: "1.0",
  id,
  source: "/t",
  type,
  data,
});

const receive = (store: Store, body: JsonObject) =>
  store.write(receiveEvent, { tenantId: "default", event: body, lane: null, now: 1 });

test("events start one run each, none is lost in a burst, and the input is the array of events", async () => {
  const { orchestrator, runs, store } = stage();
  await publish(orchestrator, { on: { one: { with: { type: "placed" } } } });
  for (let n = 0; n < 10; n++) await receive(store, event("placed", `e${n}`, { n }));
  await receive(store, event("placed", "e9", { n: 9 }));
  await until(() => runs().length === 10 && runs().every(({ finished_at }) => finished_at !== null));
  expect(runs().map((row) => (output(row)["input"] as JsonObject[])[0]!["data"])).toEqual(
    Array.from({ length: 10 }, (_, n) => ({ n })),
  );
});

test("all and any-until schedules start with the batch that met them, and begin again", async () => {
  const { orchestrator, runs, store } = stage();
  const on = { all: [{ with: { type: "a" } }, { with: { type: "b" } }] };
  await publish(orchestrator, { on, read: "data" });
  for (const [at, type] of ["a", "a", "b", "b", "a"].entries())
    await receive(store, event(type, `${at}`, { at }));
  await until(() => runs().length === 2 && runs().every(({ finished_at }) => finished_at !== null));
  expect(runs().map((row) => output(row)["input"])).toEqual([
    [{ at: 0 }, { at: 2 }],
    [{ at: 3 }, { at: 4 }],
  ]);
  await publish(
    orchestrator,
    { on: { any: [{ with: { type: "a" } }], until: ". | length == 2" }, read: "data" },
    "1.0.1",
  );
  for (let at = 10; at < 14; at++) await receive(store, event("a", `${at}`, { at }));
  await until(() => runs().length === 4 && runs().every(({ finished_at }) => finished_at !== null));
  expect(output(runs()[3]!)["input"]).toEqual([{ at: 12 }, { at: 13 }]);
});

test("the highest version is the one that starts; one without a schedule ends it", async () => {
  const { orchestrator, store, runs, clock } = stage();
  await publish(orchestrator, { cron: "* * * * *" }, "1.1.0");
  await publish(orchestrator, { cron: "*/5 * * * *" }, "1.0.0");
  expect(store.read(findSchedule, KEY)).toMatchObject({ version: "1.1.0" });
  await publish(orchestrator, { on: { one: { with: { type: "placed" } } } }, "1.2.0");
  const { running } = store.read(findSchedule, KEY);
  await publish(orchestrator, null, "2.0.0");
  expect(() => store.read(findSchedule, KEY)).toThrow("not found");
  const listener = store
    .read(listRuns, { tenantId: "default", limit: 10 })
    .find(({ run_id }) => run_id === running);
  expect(listener).toMatchObject({ status: "cancelled" });
  clock.advance(300_000);
  await Bun.sleep(30);
  expect(runs()).toEqual([]);
  await until(() => true);
});

test("a paused schedule starts nothing, and goes on from now without catching up", async () => {
  const { orchestrator, store, clock, runs } = stage();
  await publish(orchestrator, { cron: "* * * * *" });
  await orchestrator.directSchedule(KEY, "paused", "user:0");
  clock.advance(600_000);
  await Bun.sleep(1100);
  expect(runs()).toEqual([]);
  await orchestrator.directSchedule(KEY, "active", "user:0");
  expect(store.read(findSchedule, KEY).next_at).toBe(START + 660_000);
  clock.advance(60_000);
  await until(() => runs().length === 1);
  expect(orchestrator.directSchedule({ ...KEY, name: "other" }, "paused", "user:0")).rejects.toThrow(
    "not found",
  );
});

test("a schedule whose run is refused says why and waits for its next time", async () => {
  const { orchestrator, store, clock, runs } = stage();
  const document: JsonObject = {
    document: { dsl: "1.0.3", namespace: "t", name: "job", version: "1.0.0" },
    use: { secrets: ["missing"] },
    schedule: { every: "PT1M" },
    do: [{ keep: { set: {} } }],
  };
  await orchestrator.publish("default", document, digestOf(document));
  clock.advance(60_000);
  await until(() => store.read(findSchedule, KEY).diagnostic !== null);
  expect(store.read(findSchedule, KEY)).toMatchObject({
    next_at: START + 120_000,
    diagnostic: expect.stringContaining("not set: missing"),
  });
  expect(runs()).toEqual([]);
});
