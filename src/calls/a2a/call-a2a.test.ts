import { afterAll, expect, test } from "bun:test";
import type { Json, JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import { denyPrivate } from "../destination/policy.ts";
import { executeCall } from "../execute.ts";
import { errorOf, testContext, testRequest } from "../testing/context.ts";

const METHODS = [
  "message/send",
  "message/stream",
  "tasks/get",
  "tasks/list",
  "tasks/cancel",
  "tasks/resubscribe",
  "tasks/pushNotificationConfig/set",
  "tasks/pushNotificationConfig/get",
  "tasks/pushNotificationConfig/list",
  "tasks/pushNotificationConfig/delete",
  "agent/getAuthenticatedExtendedCard",
];

let seen: { method: string; params?: JsonObject; headers: Headers }[] = [];
let card: JsonObject = {};
const event = (value: Json) => `data: ${JSON.stringify(value)}\n\n`;
const stream = (...parts: string[]) =>
  new Response(
    new ReadableStream({
      async start(controller) {
        for (const part of parts) {
          controller.enqueue(Buffer.from(part));
          await Bun.sleep(1);
        }
        controller.close();
      },
    }),
    { headers: { "content-type": "text/event-stream; charset=utf-8" } },
  );

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  development: false,
  error: () => new Response("", { status: 500 }),
  routes: {
    "/card.json": () => Response.json(card),
    "/.well-known/agent.json": () => Response.json(card),
    "/rpc": async (request) => {
      const { id, method, params } = (await request.json()) as {
        id: string;
        method: string;
        params?: JsonObject;
      };
      seen.push({ method, ...(params && { params }), headers: request.headers });
      const answer = (result: Json) => ({ jsonrpc: "2.0", id, result });
      switch (params?.["do"]) {
        case "error":
          return Response.json({
            jsonrpc: "2.0",
            id,
            error: { code: -32001, message: "Task not found hidden-token" },
          });
        case "invalid":
          return Response.json({ jsonrpc: "2.0", id, error: { code: -32602, message: "bad" } });
        case "other-id":
          return Response.json({ ...answer(1), id: "someone" });
        case "text":
          return new Response("hello");
        case "status":
          return new Response("", { status: 503 });
        case "silent":
          return await new Promise<Response>(() => {});
        case "large":
          return Response.json(answer("x".repeat(LIMITS.callResponseBytes)));
        case "flood":
          return stream(
            ...Array.from({ length: 5 }, () => event(answer("x".repeat(LIMITS.callResponseBytes / 4)))),
          );
        case "late-error":
          return stream(
            event(answer(1)),
            event({ jsonrpc: "2.0", id, error: { code: -32603, message: "x" } }),
          );
        case "nothing":
          return stream(": only a comment\n\n");
        default:
      }
      if (method.endsWith("stream") || method.endsWith("resubscribe"))
        return stream(event(answer({ kind: "task" })), event(answer({ kind: "status-update", final: true })));
      return Response.json(answer({ method }));
    },
  },
});
/** Begins a stream, and breaks the connection inside it. */
const cutter = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    data(socket) {
      const head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
      const first = event({ jsonrpc: "2.0", id: "attempt-1", result: 1 });
      socket.write(`${head}${first.length.toString(16)}\r\n${first}\r\n`);
      setTimeout(() => socket.terminate(), 20);
    },
  },
});
afterAll(async () => {
  cutter.stop(true);
  await server.stop(true);
});

const base = `http://127.0.0.1:${server.port}`;
const request = (method: string, parameters: JsonObject = {}, to: JsonObject = { server: `${base}/rpc` }) =>
  testRequest("a2a", { method, parameters, ...to });

test("each of the eleven methods is asked, and the streaming ones give every result", async () => {
  seen = [];
  for (const method of METHODS) {
    const isStream = ["message/stream", "tasks/resubscribe"].includes(method);
    expect(await executeCall(request(method, { id: "t" }), testContext())).toEqual(
      isStream ? [{ kind: "task" }, { kind: "status-update", final: true }] : { method },
    );
  }
  expect(seen.map(({ method }) => method)).toEqual(METHODS);
  expect(await errorOf(request("tasks/delete"), testContext())).toMatchObject({ type: "configuration" });
});

test("a message without an id gets the attempt's, so that a repeated one is known", async () => {
  seen = [];
  await executeCall(request("message/send", { message: { role: "user", parts: [] } }), testContext());
  await executeCall(request("message/send", { message: { messageId: "mine" } }), testContext());
  expect(seen.map(({ params }) => (params!["message"] as JsonObject)["messageId"])).toEqual([
    "attempt-1",
    "mine",
  ]);
});

test("an agent is found by its card, at an address or at the well-known place", async () => {
  const via = (endpoint: string) =>
    executeCall(request("tasks/get", {}, { agentCard: { endpoint } }), testContext());
  for (const found of <JsonObject[]>[
    { url: `${base}/rpc` },
    { url: "/rpc", preferredTransport: "JSONRPC" },
    {
      url: `${base}/grpc`,
      preferredTransport: "GRPC",
      additionalInterfaces: [{ transport: "JSONRPC", url: "/rpc" }],
    },
    { supportedInterfaces: [{ protocolBinding: "JSONRPC", url: `${base}/rpc` }] },
  ]) {
    card = found;
    expect(await via(`${base}/card.json`)).toEqual({ method: "tasks/get" });
  }
  expect(await via(base)).toEqual({ method: "tasks/get" });
  card = { url: `${base}/grpc`, preferredTransport: "GRPC" };
  const none = request("tasks/get", {}, { agentCard: { endpoint: `${base}/card.json` } });
  expect(await errorOf(none, testContext())).toMatchObject({ type: "configuration" });
  expect(await errorOf(request("tasks/get", {}, {}), testContext())).toMatchObject({ type: "configuration" });
});

test("the address on a card is behind the destination policy too", async () => {
  card = { url: "http://169.254.169.254/rpc" };
  const error = await errorOf(
    request("message/send", {}, { agentCard: { endpoint: `${base}/card.json` } }),
    testContext({ policy: denyPrivate }),
  );
  expect(error).toMatchObject({ type: "authorization", sent: "none" });
});

test("errors of the agent, of the wire and of time", async () => {
  const failed = (what: string, method = "message/send", timeoutMs = 5000) =>
    errorOf(
      { ...request(method, { do: what }), authentication: { bearer: { token: "hidden-token" } }, timeoutMs },
      testContext(),
    );
  const missing = await failed("error");
  expect(missing).toMatchObject({ type: "communication", sent: "possible" });
  expect(missing.detail).toContain("-32001: Task not found ***");
  expect(await failed("error", "tasks/get")).toMatchObject({ sent: "none" });
  expect(await failed("invalid")).toMatchObject({ type: "validation" });
  expect(await failed("status")).toMatchObject({ type: "communication", status: 503 });
  expect((await failed("other-id")).detail).toContain("not one of JSON-RPC");
  expect((await failed("text")).detail).toContain("not valid JSON");
  expect((await failed("large")).detail).toContain("over 1048576 bytes");
  expect((await failed("flood", "message/stream")).detail).toContain("over 1048576 bytes");
  expect(await failed("late-error", "message/stream")).toMatchObject({ type: "communication" });
  expect((await failed("nothing", "message/stream")).detail).toContain("without a result");
  const cut = request("message/stream", {}, { server: `http://127.0.0.1:${cutter.port}/` });
  expect(await errorOf(cut, testContext())).toMatchObject({ type: "communication", sent: "possible" });
  expect(await failed("silent", "message/send", 100)).toMatchObject({ type: "timeout", sent: "possible" });
});
