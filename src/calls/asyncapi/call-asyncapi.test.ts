import { afterAll, beforeEach, expect, test } from "bun:test";
import type { Json, JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import type { CallRequest } from "../call.ts";
import { denyPrivate } from "../destination/policy.ts";
import { executeCall } from "../execute.ts";
import { testCertificates } from "../testing/certificates.ts";
import { errorOf, namesOf, testContext, testRequest } from "../testing/context.ts";

let document: JsonObject = {};
let arrived: { path: string; method: string; headers: Headers; body: string }[] = [];
beforeEach(() => {
  arrived = [];
});

interface Visit {
  path: string;
  headers: Headers;
}
/** Says what it is asked to by the path; on sockets, each of the texts `0`, `1`, … as JSON. */
const options = {
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request: Request, server: Bun.Server<Visit>): Promise<Response | undefined> {
    const { pathname } = new URL(request.url);
    if (pathname === "/document") return Response.json(document);
    if (server.upgrade(request, { data: { path: pathname, headers: request.headers } })) return undefined;
    arrived.push({
      path: pathname,
      method: request.method,
      headers: request.headers,
      body: await request.text(),
    });
    const event = (value: Json) => `data: ${JSON.stringify(value)}\n\n`;
    switch (pathname) {
      case "/events":
        return new Response([0, 1, 2].map((n) => event({ n })).join(""), {
          headers: { "content-type": "text/event-stream" },
        });
      case "/quiet":
        return new Response(
          new ReadableStream({
            start: (controller) => controller.enqueue(Buffer.from(event({ n: 0 }))),
          }),
          { headers: { "content-type": "text/event-stream" } },
        );
      case "/lines":
        return new Response('{"n":0}\n{"n":1}\n', { headers: { "content-type": "application/x-ndjson" } });
      case "/list":
        return Response.json([{ n: 0 }, { n: 1 }]);
      case "/status":
        return new Response("", { status: 500 });
      default:
        return Response.json({ accepted: true });
    }
  },
  websocket: {
    data: {} as Visit,
    open(socket: Bun.ServerWebSocket<Visit>) {
      const { path, headers } = socket.data;
      arrived.push({ path, method: "open", headers, body: "" });
      if (path === "/hello") return;
      if (path === "/large") socket.send("x".repeat(LIMITS.callResponseBytes + 1));
      for (let n = 0; n < 3; n++) socket.send(JSON.stringify({ n, from: "s" }));
      if (path === "/ends") socket.close(1000);
      if (path === "/breaks") socket.terminate();
      if (path === "/fails") socket.close(1011);
    },
    message(socket: Bun.ServerWebSocket<Visit>, text: string | Buffer) {
      arrived.push({
        path: socket.data.path,
        method: "message",
        headers: socket.data.headers,
        body: String(text),
      });
    },
  },
};
const server = Bun.serve(options);
const certificates = testCertificates("chat.test");
const secure = Bun.serve({ ...options, tls: certificates.of["chat.test"]! });
afterAll(() => Promise.all([server.stop(true), secure.stop(true)]));
const host = `127.0.0.1:${server.port}`;

const V2: JsonObject = {
  asyncapi: "2.6.0",
  servers: {
    broker: { url: "broker.test:9092", protocol: "kafka" },
    web: { url: `http://${host}`, protocol: "http" },
    chat: { url: `{place}/`, protocol: "ws", variables: { place: { default: host } } },
  },
  channels: {
    "/pets": {
      servers: ["web"],
      publish: { operationId: "sendPet", bindings: { http: { method: "PUT" } }, message: {} },
    },
    "/rooms/{room}": {
      servers: ["chat"],
      parameters: { room: { schema: { type: "string" } } },
      publish: { message: { correlationId: { location: "$message.payload#/n" } } },
      subscribe: { message: { correlationId: { location: "$message.payload#/n" } } },
    },
    "/kafka": { servers: ["broker"], publish: { operationId: "toKafka" } },
  },
};
const paths = [
  "hello",
  "stays",
  "ends",
  "breaks",
  "fails",
  "large",
  "events",
  "quiet",
  "lines",
  "list",
  "status",
];
const V3: JsonObject = {
  asyncapi: "3.0.0",
  servers: {
    web: { host, protocol: "http" },
    chat: { host, protocol: "ws", pathname: "/" },
  },
  channels: Object.fromEntries(paths.map((path) => [path, { address: `/${path}` }])),
  operations: Object.fromEntries(
    paths.map((path) => [path, { action: "receive", channel: { $ref: `#/channels/${path}` } }]),
  ),
};

const request = (args: JsonObject, parts: Partial<CallRequest> = {}) =>
  testRequest("asyncapi", { document: { endpoint: `http://${host}/document` }, ...args }, parts);
const call = (...args: Parameters<typeof request>) => executeCall(request(...args), testContext());
const numbers = (value: Json) => (value as { payload: { n: number } }[]).map(({ payload }) => payload.n);
const over = (protocol: string, path: string, consume: JsonObject, more: JsonObject = {}): JsonObject => ({
  operation: path,
  protocol,
  subscription: { consume, ...more },
});

test("a message is published over HTTP with its headers, its key and its credentials", async () => {
  document = V2;
  const args = { operation: "sendPet", message: { payload: { a: 1 }, headers: { "X-One": "1" } } };
  const authentication = { bearer: { token: "t" } };
  expect(await call(args, { authentication })).toEqual({ accepted: true });
  expect(arrived).toMatchObject([{ path: "/pets", method: "PUT", body: '{"a":1}' }]);
  const { headers } = arrived[0]!;
  expect([headers.get("x-one"), headers.get("authorization"), headers.get("idempotency-key")]).toEqual([
    "1",
    "Bearer t",
    "attempt-1",
  ]);
  document = V3;
  const failed = request({ channel: "status", protocol: "http", message: { payload: {} } });
  expect(await errorOf(failed, testContext())).toMatchObject({
    type: "communication",
    status: 500,
    sent: "possible",
  });
});

test("a message is published over a WebSocket, whole before the connection closes", async () => {
  document = V3;
  const payload = { text: "x".repeat(100_000) };
  const args = { channel: "/hello", protocol: "ws", message: { payload, headers: { "X-One": "1" } } };
  expect(await call(args, { authentication: { basic: { username: "u", password: "p" } } })).toBeNull();
  expect(arrived.map(({ method }) => method)).toEqual(["open", "message"]);
  expect(JSON.parse(arrived[1]!.body)).toEqual(payload);
  expect(arrived[0]!.headers.get("authorization")).toStartWith("Basic ");
  expect(arrived[0]!.headers.get("x-one")).toBe("1");
});

test("a subscription ends by amount, while, until, time, or the other side", async () => {
  document = V3;
  for (const protocol of ["ws", "http"]) {
    const path = protocol === "ws" ? "stays" : "events";
    expect(numbers(await call(over(protocol, path, { amount: 2 })))).toEqual([0, 1]);
    expect(await call(over(protocol, path, { amount: 0 }))).toEqual([]);
    const n = (message: Json) => numbers([message])[0]!;
    expect(
      numbers(
        await call(over(protocol, path, { while: "…" }), {
          predicates: { while: (message) => n(message) < 1 },
        }),
      ),
    ).toEqual([0]);
    expect(
      numbers(
        await call(over(protocol, path, { until: "…" }), {
          predicates: { until: (message) => n(message) === 1 },
        }),
      ),
    ).toEqual([0, 1]);
    const each: number[] = [];
    const filtered = await call(over(protocol, path, { amount: 2 }, { filter: "…" }), {
      predicates: {
        filter: async (message) => n(message) !== 1,
        each: (message) => void each.push(n(message)),
      },
    });
    expect(numbers(filtered)).toEqual([]);
    expect(each).toEqual([0, 2]);
  }
  // The way to the server counts too, so it is a while.
  const brief = { amount: 50, for: { seconds: 1 } };
  const both = [call(over("ws", "stays", brief)), call(over("http", "quiet", brief))];
  expect((await Promise.all(both)).map(numbers)).toEqual([[0, 1, 2], [0]]);
  expect(numbers(await call(over("ws", "ends", { amount: 50 })))).toEqual([0, 1, 2]);
  expect(numbers(await call(over("http", "lines", { amount: 50 })))).toEqual([0, 1]);
  expect(numbers(await call(over("http", "list", { amount: 50 })))).toEqual([0, 1]);
});

test("variables, parameters and the correlation id of a document", async () => {
  document = V2;
  const args = {
    channel: "/rooms/{room}",
    server: { name: "chat", variables: { room: "a/b" } },
    subscription: { consume: { amount: 1 } },
  };
  expect(await call(args)).toEqual([{ payload: { n: 0, from: "s" }, headers: {}, correlationId: 0 }]);
  expect(arrived[0]!.path).toBe("/rooms/a%2Fb");
});

test("breaks, sizes and time that is over are errors", async () => {
  document = V3;
  const failed = (...args: Parameters<typeof request>) => errorOf(request(...args), testContext());
  expect((await failed(over("ws", "breaks", { amount: 50 }))).detail).toContain("broke off");
  expect((await failed(over("ws", "fails", { amount: 50 }))).detail).toContain("broke off");
  expect((await failed(over("ws", "large", { amount: 1 }))).detail).toContain("over 1048576 bytes");
  expect(await failed(over("ws", "stays", { amount: 50 }), { timeoutMs: 200 })).toMatchObject({
    type: "timeout",
  });
  expect(await failed(over("http", "quiet", { amount: 50 }), { timeoutMs: 200 })).toMatchObject({
    type: "timeout",
  });
  document = { ...V3, servers: { chat: { host: "127.0.0.1:1", protocol: "ws" } } };
  expect(await failed({ operation: "hello", message: {} })).toMatchObject({
    type: "communication",
    sent: "none",
  });
});

test("other protocols are refused by name, and what cannot be asked is not passed over", async () => {
  document = V2;
  const failed = (args: JsonObject) => errorOf(request(args), testContext());
  const kafka = await failed({ operation: "toKafka", message: {} });
  expect(kafka).toMatchObject({ type: "configuration", sent: "none" });
  expect(kafka.detail).toContain("kafka");
  expect((await failed({ operation: "sendPet", protocol: "mqtt5", message: {} })).detail).toContain("mqtt5");
  for (const args of <JsonObject[]>[
    { operation: "none", message: {} },
    { channel: "/none", message: {} },
    { operation: "sendPet" },
    { operation: "sendPet", message: {}, subscription: { consume: { amount: 1 } } },
    { operation: "sendPet", server: { name: "none" }, message: {} },
    { operation: "sendPet", protocol: "ws", message: {} },
    { channel: "/rooms/{room}", message: {} },
    { operation: "sendPet", subscription: { consume: { while: "${ true }" } } },
    { operation: "sendPet", subscription: { filter: "${ true }", consume: { amount: 1 } } },
    { operation: "sendPet", subscription: { consume: { amount: -1 } } },
  ])
    expect([args, (await failed(args)).type]).toEqual([args, "configuration"]);
  document = { asyncapi: "1.2.0" };
  expect((await failed({ operation: "x", message: {} })).type).toBe("configuration");
});

test("sockets are behind the destination policy, with TLS checked against the name", async () => {
  document = {
    ...V3,
    servers: {
      chat: { host: `chat.test:${secure.port}`, protocol: "wss" },
      evil: { host: `evil.test:${secure.port}`, protocol: "wss" },
    },
  };
  const args = (name: string): JsonObject => ({
    operation: "stays",
    server: { name },
    subscription: { consume: { amount: 1 } },
  });
  const read = await fetch(`http://${host}/document`).then((response) => response.bytes());
  const parts = {
    resolveHost: namesOf({ "chat.test": ["127.0.0.1"], "evil.test": ["127.0.0.1"] }),
    readResource: async () => read,
  };
  const allowed = { ...parts, policy: { ...denyPrivate, allow: ["*.test"] }, trust: certificates.ca };
  expect(numbers(await executeCall(request(args("chat")), testContext(allowed)))).toEqual([0]);
  expect(arrived[0]!.headers.get("host")).toBe(`chat.test:${secure.port}`);
  const wrongName = await errorOf(request(args("evil")), testContext(allowed));
  expect(wrongName).toMatchObject({ type: "communication", sent: "none" });
  const refused = await errorOf(request(args("chat")), testContext({ ...parts, policy: denyPrivate }));
  expect(refused).toMatchObject({ type: "authorization", sent: "none" });
});
