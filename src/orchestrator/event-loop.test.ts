import { expect, test } from "bun:test";
import { stage as bareStage, documentOf, startDocument } from "../../test/support/orchestrator.ts";
import { until } from "../../test/support/until.ts";
import { digestOf } from "../base/canonical.ts";
import type { JsonObject } from "../base/json.ts";
import { findRun, listEvents, listOperatorTasks, receiveEvent, type Store } from "../store/index.ts";
import type { Orchestrator } from "./index.ts";

function stage() {
  const { store, clock, orchestrator, row } = bareStage();
  const run = (runId: string) => {
    const { status, snapshot } = row(runId);
    return { status, output: (JSON.parse(snapshot) as { output: unknown }).output };
  };
  const reaches = async (runId: string, status: string) => {
    await until(
      () => run(runId).status === status,
      () => run(runId),
    );
    return run(runId);
  };
  const byLanes = (lanes?: string[]) => orchestrator(lanes === undefined ? {} : { lanes });
  return { store, clock, orchestrator: byLanes, run, reaches };
}

const start = (orchestrator: Orchestrator, runId: string, tasks: JsonObject[]) =>
  startDocument(orchestrator, runId, documentOf(tasks));

const listen = { l: { listen: { to: { one: { with: { type: "greeted" } } } } } };
const event = (id: string, data: string): JsonObject => ({
  specversion: "1.0",
  id,
  source: "/t",
  type: "greeted",
  data,
});

const receive = (store: Store, tenantId: string, event: JsonObject, lane: string | null = null) =>
  store.write(receiveEvent, { tenantId, event, lane, now: 1 });

test("an event reaches everyone who listens for it, and a repeat of it nobody", async () => {
  const { orchestrator, reaches, run, store } = stage();
  const made = orchestrator();
  await start(made, "one", [listen]);
  await start(made, "two", [listen, listen]);
  expect(await receive(store, "default", event("1", "hello"))).toBe(true);
  expect((await reaches("one", "completed")).output).toEqual(["hello"]);
  expect(await receive(store, "default", event("1", "again"))).toBe(false);
  expect(await receive(store, "other-tenant", event("2", "not yours"))).toBe(true);
  await Bun.sleep(30);
  expect(run("two").status).toBe("waiting");
  await receive(store, "default", event("3", "second"));
  expect((await reaches("two", "completed")).output).toEqual(["second"]);
});

test("what one workflow emits, another hears", async () => {
  const { orchestrator, reaches } = stage();
  const made = orchestrator();
  await start(made, "hears", [listen]);
  await start(made, "says", [
    { e: { emit: { event: { with: { type: "greeted", data: "from a workflow" } } } } },
  ]);
  expect((await reaches("hears", "completed")).output).toEqual(["from a workflow"]);
});

test("an event that came in while no orchestrator ran is consumed once when one runs again", async () => {
  const { orchestrator, reaches, store, run } = stage();
  const first = orchestrator();
  await start(first, "r", [listen, listen]);
  first.stop();
  await receive(store, "default", event("1", "missed"));
  expect(run("r").status).toBe("waiting");
  orchestrator();
  await Bun.sleep(50);
  expect(run("r").status).toBe("waiting");
  await receive(store, "default", event("2", "next"));
  expect((await reaches("r", "completed")).output).toEqual(["next"]);
});

test("a question waits in the inbox until somebody gives an answer that fits", async () => {
  const { orchestrator, reaches, store } = stage();
  const made = orchestrator();
  await start(made, "r", [{ a: { ask: { prompt: "go on?", options: ["yes", "no"] } } }]);
  const open = () => store.read(listOperatorTasks, { tenantId: "default", all: false });
  const [task] = open();
  expect(task).toMatchObject({ kind: "ask", body: { reason: "go on?", run_id: "r" } });
  expect(made.answer("default", task!.id, "perhaps", "user:1")).rejects.toThrow("must be one of");
  expect(made.answer("other", task!.id, "yes", "user:1")).rejects.toThrow("not found");
  expect(await made.answer("default", task!.id, "yes", "user:1")).toBe("r");
  expect((await reaches("r", "completed")).output).toBe("yes");
  expect(made.answer("default", task!.id, "no", "user:2")).rejects.toThrow("no longer open");
  expect(open()).toEqual([]);
});

test("a question of a run that is cancelled is withdrawn", async () => {
  const { orchestrator, store } = stage();
  const made = orchestrator();
  await start(made, "r", [{ a: { ask: { prompt: "go on?" } } }]);
  await made.cancel("default", "r", "enough");
  const all = store.read(listOperatorTasks, { tenantId: "default", all: true });
  expect(all).toMatchObject([{ state: "resolved", resolution: "no longer asked" }]);
});

test("a paused run keeps the event that comes meanwhile, also over a restart, and goes on with it", async () => {
  const { orchestrator, reaches, run, store } = stage();
  const first = orchestrator();
  await start(first, "one", [listen]);
  expect(await first.suspend("default", "one", "maintenance")).toBe("suspended");
  expect(await first.suspend("default", "one", "again")).toBe("suspended");
  await start(first, "two", [listen]);
  await receive(store, "default", event("1", "hello"));
  await reaches("two", "completed");
  expect(run("one").status).toBe("suspended");
  first.stop();
  const second = orchestrator();
  expect(await second.resume("default", "one")).toBe("completed");
  expect(run("one").output).toEqual(["hello"]);
  expect(second.resume("default", "one")).rejects.toThrow("has ended");
});

const lifecycle = (type: string, more: JsonObject = {}): JsonObject => ({
  l: {
    listen: {
      to: { one: { with: { type: `io.serverlessworkflow.${type}.v1`, ...more } } },
      read: "envelope",
    },
  },
});

test("another workflow hears of the lifecycle of a run by the specification's events", async () => {
  const { orchestrator, reaches } = stage();
  const made = orchestrator();
  const types = ["workflow.started", "task.created", "task.completed", "task.retried", "workflow.completed"];
  for (const type of types) await start(made, type, [lifecycle(type)]);
  await start(made, "fails", [lifecycle("workflow.faulted"), lifecycle("task.faulted")]);
  const raise = { raise: { error: { type: "https://x.test/e", status: 500 } } };
  await start(made, "seen", [
    { tried: { try: [{ r: raise }], catch: { retry: { limit: { attempt: { count: 1 } } }, do: [] } } },
    { kept: { set: { n: 1 } } },
  ]);
  const data = async (runId: string) => {
    const [heard] = (await reaches(runId, "completed")).output as JsonObject[];
    expect(heard).toMatchObject({ subject: "seen", specversion: "1.0", source: "/workflows/t/t/1.0.0" });
    return heard!["data"];
  };
  const definition = { namespace: "t", name: "t", version: "1.0.0" };
  const time = expect.any(String);
  expect(await data("workflow.started")).toEqual({ name: "seen", definition, startedAt: time });
  expect(await data("task.created")).toEqual({ workflow: "seen", task: "/do/0/tried", createdAt: time });
  expect(await data("task.retried")).toEqual({ workflow: "seen", task: "/do/0/tried", retriedAt: time });
  expect(await data("task.completed")).toMatchObject({ workflow: "seen", task: "/do/0/tried" });
  expect(await data("workflow.completed")).toEqual({
    name: "seen",
    definition,
    completedAt: time,
    output: { n: 1 },
  });
});

test("who listens for every event, or for lifecycle events, is no source of them", async () => {
  const { orchestrator, reaches, run, store } = stage();
  const made = orchestrator();
  await start(made, "any", [{ l: { listen: { to: { any: [] } } } }]);
  await start(made, "one", [
    lifecycle("task.completed"),
    { s: { set: { n: 1 } } },
    lifecycle("task.completed"),
  ]);
  await start(made, "two", [
    lifecycle("task.completed"),
    { s: { set: { n: 1 } } },
    lifecycle("task.completed"),
  ]);
  await start(made, "seen", [{ s: { set: { n: 1 } } }]);
  const events = () => store.read((tx) => tx.all("SELECT 1 FROM event_inbox"), null).length;
  await until(() => events() > 0);
  await Bun.sleep(100);
  expect(events()).toBe(1);
  expect(["any", "one", "two"].map((id) => run(id).status)).toEqual(["waiting", "waiting", "waiting"]);
  await reaches("seen", "completed");
});

test("an event for one run is heard by no other", async () => {
  const { orchestrator, reaches, store } = stage();
  const made = orchestrator();
  await start(made, "one", [listen]);
  await start(made, "two", [listen]);
  await receive(store, "default", { ...event("1", "psst"), lightflowrun: "two" });
  expect((await reaches("two", "completed")).output).toEqual(["psst"]);
  await receive(store, "default", { ...event("2", "nobody"), lightflowrun: "gone" });
  await receive(store, "default", event("3", "all"));
  expect((await reaches("one", "completed")).output).toEqual(["all"]);
});

test("an event reaches the listeners whose correlation it has, and touches no other one", async () => {
  const { orchestrator, reaches, store } = stage();
  const made = orchestrator();
  const hears = (order: number) => ({
    l: {
      listen: {
        to: {
          one: {
            with: { type: "greeted" },
            correlate: { order: { from: "${ .data.order }", expect: order } },
          },
        },
      },
    },
  });
  for (const order of [1, 2, 3]) await start(made, `r${order}`, [hears(order)]);
  await start(made, "any", [{ l: { listen: { to: { one: { with: { type: "greeted" } } } } } }]);
  const inputs = (runId: string) => store.read(findRun, { tenantId: "default", runId }).input_seq;
  await receive(store, "default", event("1", { order: 2 } as never));
  await reaches("r2", "completed");
  await reaches("any", "completed");
  await receive(store, "default", event("2", {} as never));
  await receive(store, "default", event("3", { order: 3 } as never));
  await reaches("r3", "completed");
  expect(inputs("r1")).toBe(1);
  // What the expression fails on is the task's to say.
  await receive(store, "default", event("4", "no object"));
  await reaches("r1", "faulted");
});

test("an event of very many listeners is told in parts, to each once", async () => {
  const { orchestrator, store } = stage();
  const made = orchestrator();
  const count = 1100;
  await Promise.all(Array.from({ length: count }, (_, n) => start(made, `r${n}`, [listen, listen])));
  await receive(store, "default", event("1", "hello"));
  const told = () =>
    store.read((tx) => tx.get<{ n: number }>("SELECT count(*) AS n FROM instance WHERE input_seq = 2"), null)!
      .n;
  await until(() => told() >= count, told);
  await Bun.sleep(20);
  expect(told()).toBe(count);
});

test("what does not fit into the state fails the task that hears it, and nobody else", async () => {
  const { orchestrator, reaches, store } = stage();
  const made = orchestrator();
  const catches = { t: { try: [listen], catch: { do: [{ c: { set: { caught: true } } }] } } };
  await start(made, "full", [
    { s: { set: { big: "x".repeat(150_000) }, export: { as: "${ . }" } } },
    catches,
    { p: { wait: { hours: 1 } } },
  ]);
  await start(made, "free", [listen]);
  await receive(store, "default", event("1", "y".repeat(480_000)));
  expect((await reaches("free", "completed")).output).toEqual(["y".repeat(480_000)]);
  const { id } = store.read(findRun, { tenantId: "default", runId: "full" });
  const lines = store.read(listEvents, { instanceId: id, runId: "full", after: 0, limit: 100 });
  expect(lines.find(({ event: name }) => name === "step.failed")?.detail).toMatchObject({
    error: { data: { code: "state_too_large" } },
  });
  expect(lines.at(-1)).toMatchObject({ event: "step.started", step_id: "p" });
});

test("an orchestrator of one lane leaves the start events of others to others", async () => {
  const { store, orchestrator, reaches } = stage();
  const release = orchestrator(["release"]);
  const document: JsonObject = {
    document: { dsl: "1.0.3", namespace: "t", name: "w", version: "1.0.0" },
    do: [{ s: { set: { a: 1 } } }],
  };
  await release.publish("default", document, digestOf(document));
  const begin = (id: string, lane: string) => {
    const data = { workflow: { namespace: "t", name: "w" }, run_id: id };
    const type = `workflow.start.${lane}`;
    return receive(
      store,
      "default",
      { specversion: "1.0", id, source: "/t", type, subject: "s", data },
      lane,
    );
  };
  await begin("m", "main");
  await begin("r", "release");
  const runs = () => store.read((tx) => tx.all<{ run_id: string }>("SELECT run_id FROM instance"), null);
  await until(() => runs().length > 0);
  await Bun.sleep(20);
  expect(runs()).toEqual([{ run_id: "r" }]);
  orchestrator();
  await until(() => runs().length > 1);
  await reaches("m", "completed");
});
