import { expect, test } from "bun:test";
import { callStage, countingService, startCall } from "../../test/support/native-call.ts";
import { atEnd } from "../../test/support/orchestrator.ts";
import { until } from "../../test/support/until.ts";
import { digestOf } from "../base/canonical.ts";
import type { JsonObject } from "../base/json.ts";
import { processIdentity } from "../base/process-identity.ts";
import { claimCalls, listOperatorTasks, listUnknownCalls, type Store, viewQueue } from "../store/index.ts";

test("a call is made once and its answer is the task's output", async () => {
  const { orchestrator, run, output, events } = callStage();
  const { url, seen } = countingService();
  await startCall(orchestrator(), { method: "post", endpoint: url, body: { n: "${ .n + 1 }" } });
  await until(() => run().status === "completed");
  expect(output().output).toEqual({ count: 1 });
  expect(seen).toMatchObject([{ method: "POST", body: '{"n":2}' }]);
  expect(seen[0]!.key).toContain(run().id);
  const finished = events().find(({ event }) => event === "step.attempt_finished");
  expect(finished?.detail).toMatchObject({ attempt: 1, status: "succeeded" });
});

test("RN-15, RN-30: ask, assert, call, set and switch, what they hand on and where they branch need no runner, and outlive a restart", async () => {
  const { orchestrator, run, output, store, events } = callStage();
  const { url, seen } = countingService("from the service");
  const document: JsonObject = {
    document: { dsl: "1.0.3", namespace: "t", name: "t", version: "1.0.0" },
    do: [
      { first: { set: { n: "${ .n + 1 }" }, export: { as: "${ { kept: .n } }" } } },
      { checked: { assert: { that: "${ .n == 2 }", message: "n is wrong" } } },
      {
        which: {
          switch: [{ two: { when: "${ .n == 2 }", then: "called" } }, { other: { then: "wrong" } }],
        },
      },
      { wrong: { set: { wrong: true }, then: "end" } },
      {
        called: {
          call: "http",
          with: { method: "post", endpoint: url, body: { n: "${ $context.kept }" } },
          export: { as: "${ $context + { echo: .echo } }" },
        },
      },
      { asked: { ask: { prompt: "go on?", options: ["yes", "no"] } } },
      { merged: { set: { answer: "${ . }", context: "${ $context }" } } },
    ],
  };
  const first = orchestrator();
  await first.start({
    tenantId: "default",
    runId: "r",
    idempotent: false,
    sourceEventId: null,
    workflow: "t",
    assetId: null,
    document,
    digest: digestOf(document),
    input: { n: 1 },
  });
  const questions = () => store.read(listOperatorTasks, { tenantId: "default", all: false });
  await until(() => questions().length === 1);
  first.stop();
  // Whoever takes the run up has nothing of it but what is stored.
  const second = orchestrator();
  await second.answer("default", questions()[0]!.id, "yes", "user:1");
  await until(() => run().status === "completed");
  expect(output().output).toEqual({ answer: "yes", context: { kept: 2, echo: "from the service" } });
  expect(seen).toMatchObject([{ method: "POST", body: '{"n":2}' }]);
  const names = events().map(({ event }) => event);
  expect(names).not.toContain("step.leased");
  expect(store.read(viewQueue, { tenantId: "default", limit: 10 })).toEqual({ partitions: [], tasks: [] });
});

test("the default policy keeps calls away from this machine, and the task faults with 403", async () => {
  const { orchestrator, run, output } = callStage();
  const { url, seen } = countingService();
  await startCall(orchestrator({}), { method: "get", endpoint: url });
  await until(() => run().status === "faulted");
  expect(output().error).toMatchObject({ status: 403, instance: "/do/0/go", data: { sent: "none" } });
  expect(seen).toEqual([]);
});

test("a document that needs what the build lacks is refused by name", async () => {
  const { orchestrator } = callStage();
  const document: JsonObject = {
    document: { dsl: "1.0.3", namespace: "t", name: "t", version: "1.0.0" },
    do: [{ a: { run: { container: { image: "x", ports: { "80": 8080 } } } } }],
  };
  const parts = {
    tenantId: "default",
    runId: "r",
    idempotent: false,
    sourceEventId: null,
    workflow: "t",
    assetId: null,
  };
  const started = orchestrator().start({ ...parts, document, digest: digestOf(document), input: {} });
  expect(started).rejects.toThrow("`run.container.ports` is not supported");
});

/** A process that claimed the call, perhaps sent it, and was killed. */
async function killedAfterClaim(method: string) {
  const { store, clock, orchestrator, ...rest } = callStage();
  const first = orchestrator();
  const { url, seen, hold, release } = countingService();
  hold();
  await startCall(first, { method, endpoint: url });
  await until(() => seen.length === 1);
  first.stop();
  clock.advance(60_000);
  const second = orchestrator();
  return { store, second, seen, release, ...rest };
}

test("after a crash a call that only reads is made again", async () => {
  const { seen, release, run, events } = await killedAfterClaim("get");
  await until(() => seen.length === 2);
  release();
  await until(() => run().status === "completed");
  expect(events().map(({ event }) => event)).toContain("step.requeued");
});

test("after a crash a call that may have changed something waits for an operator and is not repeated", async () => {
  const { seen, release, run, events, store, second } = await killedAfterClaim("post");
  await until(() => events().some(({ event }) => event === "step.outcome_unknown"));
  release();
  expect(seen).toHaveLength(1);
  expect(run().status).toBe("waiting");
  const open = () => store.read(listOperatorTasks, { tenantId: "default", all: false });
  expect(open()).toMatchObject([{ kind: "outcome_unknown", body: { reference: "/do/0/go" } }]);
  await second.cancel("default", "r", "given up");
  expect(open()).toEqual([]);
});

const unknownCall = (store: Store) =>
  store.read(listUnknownCalls, { tenantId: "default", runId: null })[0]!.id;

test("an operator says what became of a call: its result, its failure, or that it is to be made again", async () => {
  for (const as of ["succeeded", "failed", "retry"] as const) {
    const { seen, release, run, events, output, store, second } = await killedAfterClaim("post");
    await until(() => events().some(({ event }) => event === "step.outcome_unknown"));
    release();
    const id = unknownCall(store);
    const resolution = {
      succeeded: { as, output: { count: 7 } },
      failed: { as, reason: "it did not" },
      retry: { as },
    };
    await second.resolveCall("default", id, resolution[as] as never, "user:1");
    await until(() => run().finished_at !== null);
    expect(seen).toHaveLength(as === "retry" ? 2 : 1);
    if (as === "failed") expect(output().error).toMatchObject({ detail: "it did not" });
    else expect(output().output).toEqual({ count: as === "retry" ? 2 : 7 });
    expect(store.read(listOperatorTasks, { tenantId: "default", all: true })).toMatchObject([
      { state: "resolved", resolution: `${as} by user:1` },
    ]);
    expect(second.resolveCall("default", id, { as: "retry" }, "user:1")).rejects.toThrow("is known");
    expect(second.resolveCall("other", id, { as: "retry" }, "user:1")).rejects.toThrow("not found");
  }
});

test("what a killed process held is looked at at once, not when its claim runs out", async () => {
  const { store, clock, orchestrator, events } = callStage();
  const first = orchestrator();
  const { url, seen, hold, release } = countingService();
  hold();
  await startCall(first, { method: "post", endpoint: url });
  await until(() => seen.length === 1);
  first.stop();
  const [boot, namespace, pid] = processIdentity().split("/");
  const killed = `${boot}/${namespace}/${pid}/1 killed`;
  await store.write(
    (tx, owner: string) => tx.run("UPDATE native_call SET owner = ? WHERE state = 'claimed'", owner),
    killed,
  );
  clock.advance(10);
  orchestrator();
  await until(() => events().some(({ event }) => event === "step.outcome_unknown"));
  release();
});

test("a result whose claim was taken over is dropped", async () => {
  const { store, clock, orchestrator, run, output } = callStage();
  const { url, seen, hold, release } = countingService();
  hold();
  await startCall(orchestrator(), { method: "get", endpoint: url });
  await until(() => seen.length === 1);
  clock.advance(60_000);
  const [taken] = await store.write(claimCalls, {
    owner: "other",
    now: clock.wall(),
    until: clock.wall() + 1e9,
    limit: 1,
    gone: [],
  });
  expect(taken).toMatchObject({ fence: 2 });
  release();
  await Bun.sleep(50);
  expect(run().status).toBe("waiting");
  expect(output().output).toBeNull();
});

test("cancelling a run ends its calls", async () => {
  const { orchestrator, run } = callStage();
  const made = orchestrator();
  let aborted = false;
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      request.signal.addEventListener("abort", () => {
        aborted = true;
      });
      await new Promise(() => {});
      return new Response();
    },
  });
  atEnd(() => server.stop(true));
  await startCall(made, { method: "get", endpoint: server.url.href });
  await Bun.sleep(50);
  await made.cancel("default", "r", "enough");
  expect(run().status).toBe("cancelled");
  await until(() => aborted);
});

test("of very many calls at once only so many are made at a time, each once, and the rest follow", async () => {
  const { orchestrator, store } = callStage();
  let open = 0;
  let most = 0;
  const keys = new Set<string>();
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      keys.add(request.headers.get("idempotency-key")!);
      most = Math.max(most, ++open);
      await Bun.sleep(2);
      open--;
      return Response.json({});
    },
  });
  atEnd(() => server.stop(true));
  const made = orchestrator();
  const document: JsonObject = {
    document: { dsl: "1.0.3", namespace: "t", name: "t", version: "1.0.0" },
    do: [{ go: { call: "http", with: { method: "post", endpoint: server.url.href } } }],
  };
  const parts = { tenantId: "default", idempotent: false, sourceEventId: null, workflow: "t", assetId: null };
  const count = 700;
  await Promise.all(
    Array.from({ length: count }, (_, n) =>
      made.start({ ...parts, runId: `r${n}`, document, digest: digestOf(document), input: {} }),
    ),
  );
  const completed = () =>
    store.read(
      (tx) => tx.get<{ n: number }>("SELECT count(*) AS n FROM instance WHERE status = 'completed'"),
      null,
    )!.n;
  await until(() => completed() === count, completed);
  expect({ completed: completed(), calls: keys.size }).toEqual({ completed: count, calls: count });
  expect(most).toBeLessThanOrEqual(256);
});
