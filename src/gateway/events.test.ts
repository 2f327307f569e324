import { expect, test } from "bun:test";
import { gateway, type TestGateway } from "../../test/support/gateway.ts";
import { until } from "../../test/support/until.ts";
import { sha256 } from "../base/canonical.ts";
import { randomToken } from "../base/ids.ts";
import { callOperation, service } from "../service/index.ts";
import { enrolRunner } from "../store/index.ts";

const document = (name: string, tasks: object[]) => ({
  document: { dsl: "1.0.3", namespace: "shop", name, version: "1.0.0" },
  do: tasks,
});
const publish = (g: TestGateway, name: string, tasks: object[]) =>
  callOperation(service.publishWorkflow, g.host.context, { document: document(name, tasks) } as never);

const structured = { "content-type": "application/cloudevents+json" };
const start = (name: string, more: object = {}, id = "1") => ({
  specversion: "1.0",
  id,
  source: "/orders",
  type: "workflow.start.main",
  data: { workflow: { namespace: "shop", name }, input: { n: 7 }, ...more },
});

async function send(g: TestGateway, event: object, token?: string) {
  return await g.json("/events", {
    method: "POST",
    headers: structured,
    body: JSON.stringify(event),
    ...(token === undefined ? {} : { token }),
  });
}

async function eventually<T>(ask: () => T, right: (answer: T) => boolean): Promise<T> {
  let answer = ask();
  await until(
    () => {
      answer = ask();
      return right(answer);
    },
    () => answer,
  );
  return answer;
}

const list = (g: TestGateway, input: object = {}) =>
  (
    service.listInboxEvents.run(g.host.context, input, new AbortController().signal) as {
      events: {
        seq: number;
        state: string;
        run_id: string | null;
        diagnostic: string | null;
        tries: number;
      }[];
    }
  ).events;
const runs = async (g: TestGateway) =>
  ((await g.json("/runs")).body as { runs: { run_id: string; status: string }[] }).runs;

test("an event in structured or in binary mode is the same event, and wakes who listens", async () => {
  const g = await gateway();
  const listens = {
    l: {
      listen: { to: { all: [{ with: { type: "a" } }, { with: { type: "b" } }, { with: { type: "c" } }] } },
    },
  };
  await publish(g, "listens", [listens]);
  await g.json("/workflows/start", {
    json: { workflow: { namespace: "shop", name: "listens" }, run_id: "r" },
  });
  const attributes = { specversion: "1.0", source: "/s", id: "1" };
  expect((await send(g, { ...attributes, type: "a", data: { n: 1 } })).status).toBe(202);
  const headers = {
    "ce-specversion": "1.0",
    "ce-source": "/s",
    "ce-id": "2",
    "ce-type": "b",
    "ce-order": "caf%C3%A9",
  };
  const post = (body: string | Uint8Array, more: object) =>
    g.json("/events", { method: "POST", body, headers: { ...headers, ...more } } as never);
  expect((await post('{"n":2}', { "content-type": "application/json" })).status).toBe(202);
  expect((await post('{"n":9}', { "content-type": "application/json" })).body).toMatchObject({
    received: false,
  } as never);
  expect(
    (
      await post(new Uint8Array([0, 255]), {
        "ce-id": "3",
        "ce-type": "c",
        "content-type": "application/octet-stream",
      })
    ).status,
  ).toBe(202);
  const shown = await eventually(
    () =>
      g.host.context.views.read(
        (tx) => tx.get<{ snapshot: string; status: string }>("SELECT * FROM instance"),
        null,
      )!,
    ({ status }) => status === "completed",
  );
  expect((JSON.parse(shown.snapshot) as { output: unknown }).output).toEqual([{ n: 1 }, { n: 2 }, null]);
  const kept = callOperation(service.showEvent, g.host.context, { seq: 2 });
  expect((await kept).event).toMatchObject({ order: "café", datacontenttype: "application/json" });
  expect(
    (await callOperation(service.showEvent, g.host.context, { seq: list(g)[0]!.seq })).event,
  ).toMatchObject({ data_base64: "AP8=" });
});

test("what is no event is refused: attributes missing, names that are none, batches, other content", async () => {
  const g = await gateway();
  const status = async (body: string | null, headers: Record<string, string>) =>
    (await g.json("/events", { method: "POST", body, headers })).status;
  expect(await status('{"type":"a"}', structured)).toBe(400);
  expect(await status("[]", { "content-type": "application/cloudevents-batch+json" })).toBe(415);
  expect(await status("x=1", { "content-type": "application/x-www-form-urlencoded" })).toBe(415);
  const binary = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "a" };
  expect(await status("{", { ...binary, "content-type": "application/json" })).toBe(400);
  expect(await status(null, { ...binary, "ce-specversion": "0.3" })).toBe(400);
  expect(await status(null, { ...binary, "ce-not_a_name": "x" })).toBe(400);
  expect(await status(null, { ...binary, "ce-subject": "%zz" })).toBe(400);
  expect(await status(null, { "ce-specversion": "1.0", "ce-id": "1" })).toBe(400);
  expect(list(g)).toEqual([]);
});

test("F1: a start event makes one run however often it comes; without a workflow to start it is refused at once", async () => {
  const g = await gateway();
  await publish(g, "order", [{ s: { set: { got: "${ .n }" } } }]);
  const answers = await Promise.all(Array.from({ length: 20 }, () => send(g, start("order"))));
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 202));
  expect(answers.filter(({ body }) => (body as { received: boolean }).received)).toHaveLength(1);
  const [event] = await eventually(
    () => list(g),
    ([first]) => first?.state === "delivered",
  );
  expect(await runs(g)).toMatchObject([{ run_id: event!.run_id!, status: "succeeded" }]);
  expect((await send(g, { ...start("order"), id: "2", data: {} })).status).toBe(400);
  expect((await send(g, { ...start("order"), id: "2", type: "workflow.start.other" })).status).toBe(400);
});

test("F59: a poisoned start event is set aside; those of its subject wait, others go on; a repair lets them go in order", async () => {
  const g = await gateway();
  await publish(g, "order", [{ s: { set: { got: "${ .n }" } } }]);
  const of = (subject: string, id: string, name: string) => ({
    ...start(name, { run_id: `r${id}` }, id),
    subject,
  });
  await send(g, of("a", "1", "later"));
  await send(g, of("a", "2", "order"));
  await send(g, of("b", "3", "order"));
  await send(g, of("a", "4", "order"));
  const states = () => list(g, { poisoned: true }).map(({ state }) => state);
  await eventually(states, (now) => now.length === 3);
  expect(states()).toEqual(["aside", "blocked", "blocked"]);
  expect(list(g, { poisoned: true })[0]).toMatchObject({
    tries: 3,
    diagnostic: expect.stringContaining("shop/later"),
  });
  expect((await runs(g)).map(({ run_id }) => run_id)).toEqual(["r3"]);
  const lanes = () => service.listLanes.run(g.host.context, {}, new AbortController().signal);
  expect(await lanes()).toEqual({ lanes: [{ lane: "main", last: 4, offset: 4, pending: 0, held: 3 }] });
  const inbox = (await g.json("/inbox")).body as { tasks: object[] };
  expect(inbox.tasks).toMatchObject([{ kind: "poisoned_event", body: { event: 1, lane: "main" } }]);
  const repair = (seq: number, json: object) => g.json(`/admin/events/${seq}/repair`, { json });
  expect((await repair(2, { as: "retry" })).status).toBe(409);
  expect((await repair(9, { as: "retry" })).status).toBe(404);
  expect((await repair(1, { as: "replace" })).status).toBe(400);
  expect((await repair(1, { as: "replace", data: start("order", { run_id: "r1" }).data })).status).toBe(200);
  await eventually(
    () => list(g).map(({ state }) => state),
    (now) => now.every((state) => state === "delivered"),
  );
  expect((await runs(g)).map(({ run_id }) => run_id)).toEqual(["r4", "r2", "r1", "r3"]);
  expect(((await g.json("/inbox")).body as { tasks: object[] }).tasks).toEqual([]);
});

test("a dropped event lets those behind it go on, a retried one is handled again", async () => {
  const g = await gateway();
  const of = (id: string, name: string) => ({ ...start(name, { run_id: `r${id}` }, id), subject: "a" });
  await send(g, of("1", "order"));
  await send(g, of("2", "order"));
  const held = () => list(g, { poisoned: true }).map(({ seq, state }) => `${seq} ${state}`);
  await eventually(held, (now) => now.length === 2);
  await callOperation(service.repairEvent, g.host.context, { seq: 1, as: "drop" });
  await eventually(held, (now) => now.join() === "2 aside");
  await publish(g, "order", [{ s: { set: { a: 1 } } }]);
  await callOperation(service.repairEvent, g.host.context, { seq: 2, as: "retry" });
  await eventually(
    () => list(g)[0]!.state,
    (state) => state === "delivered",
  );
  expect((await runs(g)).map(({ run_id }) => run_id)).toEqual(["r2"]);
});

test("a lane is for whoever may use it: tenants their own, releases those with the role", async () => {
  const g = await gateway();
  const user = await g.token(["run"]);
  const admin = await g.token(["run", "admin"]);
  const lane = (name: string, token: string) =>
    send(g, { ...start("order"), id: randomToken(), type: `workflow.start.${name}` }, token).then(
      ({ status }) => status,
    );
  expect(await lane("main", user)).toBe(202);
  expect(await lane("release", user)).toBe(403);
  expect(await lane("deployment", user)).toBe(403);
  expect(await lane("release", admin)).toBe(202);
  expect(await lane("tenant.default", user)).toBe(202);
  expect(await lane("tenant.other", admin)).toBe(403);
  expect(await lane("main", await g.token(["read"]))).toBe(403);
});

test("SR-3: a runner's credential can neither send nor read start events, at the gateway or at the controller", async () => {
  const g = await gateway({ requireToken: true });
  const token = randomToken();
  await g.host.context.records.write(enrolRunner, {
    admission: {
      tenantId: "default",
      runnerId: "r",
      hostId: "h",
      runnerPools: ["default"],
      executionProfiles: ["default"],
      capabilities: [],
      slots: 1,
    },
    credential: { enrolmentHash: sha256(token), expiresAt: Date.now() + 60_000 },
    actor: "test",
    now: Date.now(),
  });
  for (const path of ["/events", "/admin/events", "/admin/lanes"]) {
    for (const method of ["POST", "GET"]) {
      const headers = { ...structured, authorization: `Bearer ${token}`, "lightflow-protocol": "1.0" };
      const init = {
        method,
        headers,
        ...(method === "POST" ? { body: JSON.stringify(start("order")) } : {}),
      };
      expect((await fetch(`${g.host.controllerUrl}${path}`, init)).status).toBe(404);
      expect([401, 404]).toContain((await fetch(`${g.url}${path}`, init)).status);
    }
  }
  expect(list(g)).toEqual([]);
});

test("an event that a workflow emits starts nothing, whatever its type", async () => {
  const g = await gateway();
  await publish(g, "order", [{ s: { set: { a: 1 } } }]);
  await publish(g, "emits", [
    { e: { emit: { event: { with: { ...start("order"), source: "https://x.example" } } } } },
  ]);
  await g.json("/workflows/start", { json: { workflow: { namespace: "shop", name: "emits" }, run_id: "r" } });
  await eventually(
    () => list(g),
    ([event]) => event?.state === "delivered",
  );
  expect((await runs(g)).map(({ run_id }) => run_id)).toEqual(["r"]);
});

test("a start that is repeated under its Idempotency-Key finds the first run; another request under it is a conflict", async () => {
  const g = await gateway();
  await publish(g, "order", [{ s: { set: { a: 1 } } }]);
  const begin = (key: string, json: object, path = "/workflows/start") =>
    g.json(path, { json, headers: { "idempotency-key": key } });
  const order = { workflow: { namespace: "shop", name: "order" }, input: { n: 1 } };
  const [first, again] = [await begin("k", order), await begin("k", order)];
  expect(first).toMatchObject({ status: 202, body: { created: true } as never });
  expect(again.body).toEqual({ ...(first.body as object), created: false } as never);
  expect((await begin("k", { ...order, input: { n: 2 } })).body).toMatchObject({
    code: "idempotency_conflict",
  } as never);
  expect((await begin("k", { workflow_asset_id: "workflow.now" }, "/runs/start")).status).toBe(409);
  expect((await begin("other", { workflow_asset_id: "workflow.now" }, "/runs/start")).status).toBe(202);
  expect((await begin("two words", order)).status).toBe(400);
  expect(await runs(g)).toHaveLength(2);
});
