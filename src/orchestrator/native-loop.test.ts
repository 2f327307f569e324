import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../test/support/until.ts";
import { openArtifacts } from "../artifacts/index.ts";
import { digestOf } from "../base/canonical.ts";
import { ManualClock } from "../base/clock.ts";
import type { JsonObject } from "../base/json.ts";
import { silentLog } from "../base/log.ts";
import { processIdentity } from "../base/process-identity.ts";
import { allowAll } from "../calls/index.ts";
import type { Secrets } from "../secrets/index.ts";
import {
  claimCalls,
  findRun,
  listEvents,
  listOperatorTasks,
  listUnknownCalls,
  Store,
  viewQueue,
} from "../store/index.ts";
import { type CallOptions, Orchestrator } from "./index.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function stage() {
  const directory = mkdtempSync(join(tmpdir(), "calls-"));
  const clock = new ManualClock();
  const store = Store.open(join(directory, "store.db"));
  const artifacts = openArtifacts(join(directory, "artifacts"));
  closers.push(async () => {
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const orchestrator = (calls: CallOptions = { policy: allowAll }) => {
    const made = new Orchestrator({ store, artifacts, clock, log: silentLog, calls });
    closers.push(() => made.stop());
    return made;
  };
  const run = () => store.read(findRun, { tenantId: "default", runId: "r" });
  const output = () => JSON.parse(run().snapshot) as { output: JsonObject; error?: JsonObject };
  const events = () => {
    const { id } = run();
    return store.read(listEvents, { instanceId: id, runId: "r", after: 0, limit: 100 });
  };
  return { store, clock, orchestrator, run, output, events };
}

/** A service that counts what reaches it; `hold` lets no answer out until it is released. */
function service(echo?: string) {
  const seen: {
    url: string;
    method: string;
    key: string | null;
    body: string;
    authorization: string | null;
  }[] = [];
  let release = () => {};
  let held: Promise<void> = Promise.resolve();
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      seen.push({
        url: request.url,
        method: request.method,
        key: request.headers.get("idempotency-key"),
        body: await request.text(),
        authorization: request.headers.get("authorization"),
      });
      await held;
      return Response.json({ count: seen.length, echo });
    },
  });
  closers.push(() => server.stop(true));
  const hold = () => {
    held = new Promise((resolve) => {
      release = resolve;
    });
  };
  return { url: server.url.href, seen, hold, release: () => release() };
}

function start(orchestrator: Orchestrator, call: JsonObject, more: JsonObject = {}, task: JsonObject = {}) {
  const document: JsonObject = {
    document: { dsl: "1.0.3", namespace: "t", name: "t", version: "1.0.0" },
    ...more,
    do: [{ go: { call: "http", with: call, ...task } }],
  };
  return orchestrator.start({
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
}

test("a call is made once and its answer is the task's output", async () => {
  const { orchestrator, run, output, events } = stage();
  const { url, seen } = service();
  await start(orchestrator(), { method: "post", endpoint: url, body: { n: "${ .n + 1 }" } });
  await until(() => run().status === "completed");
  expect(output().output).toEqual({ count: 1 });
  expect(seen).toMatchObject([{ method: "POST", body: '{"n":2}' }]);
  expect(seen[0]!.key).toContain(run().id);
  const finished = events().find(({ event }) => event === "step.attempt_finished");
  expect(finished?.detail).toMatchObject({ attempt: 1, status: "succeeded" });
});

test("RN-15, RN-30: ask, assert, call, set and switch, what they hand on and where they branch need no runner, and outlive a restart", async () => {
  const { orchestrator, run, output, store, events } = stage();
  const { url, seen } = service("from the service");
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
  const { orchestrator, run, output } = stage();
  const { url, seen } = service();
  await start(orchestrator({}), { method: "get", endpoint: url });
  await until(() => run().status === "faulted");
  expect(output().error).toMatchObject({ status: 403, instance: "/do/0/go", data: { sent: "none" } });
  expect(seen).toEqual([]);
});

test("a secret is named in the state and given to the call alone", async () => {
  const { orchestrator, run, store } = stage();
  const { url, seen } = service();
  const secrets: Secrets = {
    has: () => true,
    resolve: (_tenant, name) => (name === "vault" ? { username: "me", password: "swordfish" } : undefined),
  };
  await start(
    orchestrator({ policy: allowAll, secrets }),
    { method: "get", endpoint: { uri: url, authentication: { basic: { use: "vault" } } } },
    { use: { secrets: ["vault"] } },
  );
  await until(() => run().status === "completed");
  expect(seen[0]!.authorization).toBe(`Basic ${btoa("me:swordfish")}`);
  expect(await Bun.file(store.path).text()).not.toContain("swordfish");
  expect(await Bun.file(`${store.path}-wal`).text()).not.toContain("swordfish");
});

const API_KEY = "open-sesame-42";
const KEY: Secrets = { has: (_tenant, name) => name === "key", resolve: () => API_KEY };

test("$secrets in a call's arguments and in its input is evaluated for the call, and nothing of it is kept", async () => {
  const { orchestrator, run, store, output } = stage();
  const { url, seen } = service(API_KEY);
  await start(
    orchestrator({ policy: allowAll, secrets: KEY }),
    {
      method: "post",
      endpoint: `${url}{place}`,
      headers: { authorization: '${ "Key " + $secrets.key + .suffix }' },
      body: { n: "${ .n }", input: "${ $input.suffix }", hidden: "${ .hidden }" },
    },
    { use: { secrets: ["key"] } },
    { input: { from: '{ n, place: "there", suffix: "!", hidden: $secrets.key }' } },
  );
  await until(() => run().finished_at !== null);
  expect(seen[0]).toMatchObject({
    url: `${url}there`,
    authorization: `Key ${API_KEY}!`,
    body: JSON.stringify({ n: 1, input: "!", hidden: API_KEY }),
  });
  expect(output().output).toEqual({ count: 1, echo: "***" });
  for (const file of [store.path, `${store.path}-wal`])
    expect(await Bun.file(file).text()).not.toContain(API_KEY);
});

test("a failing expression over a secret says nothing of its value", async () => {
  const { orchestrator, run, output } = stage();
  const { url } = service();
  await start(
    orchestrator({ policy: allowAll, secrets: KEY }),
    { method: "get", endpoint: url, headers: { x: "${ $secrets.key | tonumber }" } },
    { use: { secrets: ["key"] } },
  );
  await until(() => run().finished_at !== null);
  expect(JSON.stringify(output())).not.toContain(API_KEY);
  expect(output().error).toMatchObject({ status: 400, instance: "/do/0/go", data: { sent: "none" } });
});

test("a start names the secrets that are not set", async () => {
  const { orchestrator } = stage();
  const started = start(
    orchestrator({ policy: allowAll, secrets: KEY }),
    { method: "get", endpoint: "https://x.test" },
    { use: { secrets: ["key", "other"] } },
  );
  expect(started).rejects.toThrow("not set: other");
});

test("a document that needs what the build lacks is refused by name", async () => {
  const { orchestrator } = stage();
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
  const { store, clock, orchestrator, ...rest } = stage();
  const first = orchestrator();
  const { url, seen, hold, release } = service();
  hold();
  await start(first, { method, endpoint: url });
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
  const { store, clock, orchestrator, events } = stage();
  const first = orchestrator();
  const { url, seen, hold, release } = service();
  hold();
  await start(first, { method: "post", endpoint: url });
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
  const { store, clock, orchestrator, run, output } = stage();
  const { url, seen, hold, release } = service();
  hold();
  await start(orchestrator(), { method: "get", endpoint: url });
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
  const { orchestrator, run } = stage();
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
  closers.push(() => server.stop(true));
  await start(made, { method: "get", endpoint: server.url.href });
  await Bun.sleep(50);
  await made.cancel("default", "r", "enough");
  expect(run().status).toBe("cancelled");
  await until(() => aborted);
});

test("a subscription asks its expressions about each message, with the task's arguments", async () => {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request): Response {
      const host = new URL(request.url).host;
      if (request.url.endsWith("/document"))
        return Response.json({
          asyncapi: "3.0.0",
          servers: { web: { host, protocol: "http" } },
          channels: { lines: { address: "/lines" } },
          operations: { lines: { action: "receive", channel: { $ref: "#/channels/lines" } } },
        });
      const lines = [1, 2, 3, 4, 5, 6].map((n) => `{"n":${n}}\n`).join("");
      return new Response(lines, { headers: { "content-type": "application/x-ndjson" } });
    },
  });
  closers.push(() => server.stop(true));
  const { orchestrator, run, output } = stage();
  const call = (consume: JsonObject) => ({
    document: { endpoint: `${server.url.href}document` },
    operation: "lines",
    subscription: { filter: "${ .payload.n % 2 == $input.n % 2 }", consume },
  });
  await start(orchestrator(), call({ until: "${ .payload.n >= 3 }" }), {}, { call: "asyncapi" });
  await until(() => run().finished_at !== null);
  expect(output()).toMatchObject({ output: [{ payload: { n: 1 } }, { payload: { n: 3 } }] });
});

test("each message of a subscription runs the tasks of its foreach, one after another, while the call goes on", async () => {
  let send: ((n: number) => void) | undefined;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request): Response {
      const host = new URL(request.url).host;
      if (request.url.endsWith("/document"))
        return Response.json({
          asyncapi: "3.0.0",
          servers: { web: { host, protocol: "http" } },
          channels: { lines: { address: "/lines" } },
          operations: { lines: { action: "receive", channel: { $ref: "#/channels/lines" } } },
        });
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          send = (n) => controller.enqueue(new TextEncoder().encode(`{"n":${n}}\n`));
        },
      });
      return new Response(stream, { headers: { "content-type": "application/x-ndjson" } });
    },
  });
  closers.push(() => server.stop(true));
  const { orchestrator, run, output, events } = stage();
  const call = {
    document: { endpoint: `${server.url.href}document` },
    operation: "lines",
    subscription: {
      consume: { amount: 3 },
      foreach: {
        item: "message",
        at: "position",
        do: [{ doubled: { set: { n: "${ $message.payload.n * 2 }", at: "${ $position }" } } }],
        output: { as: "${ .n + $position }" },
      },
    },
  };
  await start(orchestrator(), call, {}, { call: "asyncapi" });
  const doubled = () =>
    events().filter(({ event, step_id }) => event === "step.succeeded" && step_id === "doubled");
  for (const n of [1, 2, 3]) {
    await until(() => doubled().length === n - 1);
    await until(() => send !== undefined);
    await Bun.sleep(20);
    send!(n);
  }
  await until(() => run().finished_at !== null);
  expect(output()).toMatchObject({ output: [2, 5, 8] });
  expect(doubled().map(({ reference }) => reference)).toEqual(
    [0, 1, 2].map((index) => `/do/0/go/with/subscription/foreach/do/0/doubled[${index}]`),
  );
});

test("of very many calls at once only so many are made at a time, each once, and the rest follow", async () => {
  const { orchestrator, store } = stage();
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
  closers.push(() => server.stop(true));
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
