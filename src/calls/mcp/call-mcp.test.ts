import { afterAll, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import type { Json, JsonObject } from "../../base/json.ts";
import { allowAll, denyPrivate } from "../destination/policy.ts";
import { executeCall } from "../execute.ts";
import { errorOf, testContext, testRequest } from "../testing/context.ts";
import { testMcpServer } from "../testing/mcp-server.ts";

interface Seen {
  readonly method: string;
  readonly headers: Headers;
  readonly body: string;
}
let seen: Seen[] = [];
const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();

/** The SDK's own server: with sessions below /mcp, answering in JSON below /json. */
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  idleTimeout: 0,
  async fetch(request) {
    const path = new URL(request.url).pathname;
    const body = await request.clone().text();
    seen.push({ method: request.method, headers: request.headers, body });
    if (path === "/closed" && request.headers.get("authorization") !== "Bearer hidden-token")
      return new Response("", { status: 401 });
    if (path === "/far" && body.includes("notifications/initialized")) await Bun.sleep(300);
    if (path === "/broken") return new Response("hidden page", { status: 500 });
    if (path === "/cut" && !body.includes('"initialize"') && body.includes('"id"'))
      return new Response(": nothing\n\n", { headers: { "content-type": "text/event-stream" } });
    const known = sessions.get(request.headers.get("mcp-session-id") ?? "");
    if (known !== undefined) return await known.handleRequest(request);
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      enableJsonResponse: path === "/json",
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    await testMcpServer().connect(transport);
    return await transport.handleRequest(request);
  },
});
afterAll(() => server.stop(true));

const over = (path: string, http: JsonObject = {}): JsonObject => ({
  http: { endpoint: `http://127.0.0.1:${server.port}${path}`, ...http },
});
const stdio = (args: JsonObject = {}): JsonObject => ({
  stdio: {
    command: process.execPath,
    arguments: [`${import.meta.dir}/../testing/mcp-stdio.ts`],
    ...args,
  },
});
const request = (transport: JsonObject, method: string, parameters: JsonObject = {}, more: JsonObject = {}) =>
  testRequest("mcp", { method, parameters, transport, ...more });
const call = (...args: Parameters<typeof request>) => executeCall(request(...args), testContext());
const ADD = { name: "add", arguments: {} };
const ADDED = { content: [{ type: "text", text: "added" }] };

test("each of the seven methods, over streams, over plain JSON and over stdio", async () => {
  const ask = async (transport: JsonObject) => {
    const names = (value: Json, key: string) =>
      (value as Record<string, { name: string }[]>)[key]!.map(({ name }) => name);
    expect(names(await call(transport, "tools/list"), "tools")).toContain("add");
    expect(await call(transport, "tools/call", ADD)).toEqual(ADDED);
    expect(names(await call(transport, "prompts/list"), "prompts")).toEqual(["greet"]);
    expect(await call(transport, "prompts/get", { name: "greet" })).toMatchObject({
      messages: [{ role: "user" }],
    });
    expect(names(await call(transport, "resources/list"), "resources")).toEqual(["note"]);
    expect(await call(transport, "resources/read", { uri: "note://one" })).toMatchObject({
      contents: [{ text: "text" }],
    });
    expect(await call(transport, "resources/templates/list")).toEqual({ resourceTemplates: [] });
  };
  await ask(over("/mcp"));
  await ask(over("/json"));
  await ask(stdio());
});

test("the version is proposed and negotiated, the session is used and given back", async () => {
  seen = [];
  await call(
    over("/mcp", { headers: { "X-One": "1" } }),
    "tools/list",
    {},
    {
      client: { name: "me", version: "9" },
      protocolVersion: "2025-03-26",
    },
  );
  const [hello, initialized, list, bye] = seen;
  expect(JSON.parse(hello!.body).params).toMatchObject({
    protocolVersion: "2025-03-26",
    clientInfo: { name: "me", version: "9" },
  });
  expect(initialized!.body).toContain("notifications/initialized");
  for (const later of [list!, bye!]) {
    expect(later.headers.get("mcp-session-id")).not.toBeNull();
    expect(later.headers.get("mcp-protocol-version")).toBe("2025-03-26");
    expect(later.headers.get("x-one")).toBe("1");
  }
  expect(bye!.method).toBe("DELETE");
  expect(sessions.size).toBe(0);
  seen = [];
  await call(over("/mcp"), "tools/list");
  expect(JSON.parse(seen[0]!.body).params.protocolVersion).toBe("2025-06-18");
});

test("a server that takes long for the message after its first answer has not broken off", async () => {
  expect(await call(over("/far"), "tools/call", ADD)).toEqual(ADDED);
});

test("credentials are sent, and a refusal shows none of them", async () => {
  const authentication = { bearer: { token: "hidden-token" } };
  const closed = { ...request(over("/closed"), "tools/call", ADD), authentication };
  expect(await executeCall(closed, testContext())).toEqual(ADDED);
  const wrong = { ...closed, authentication: { bearer: { token: "other-token" } } };
  const error = await errorOf(wrong, testContext());
  expect(error).toMatchObject({ type: "communication", status: 401, sent: "none" });
  expect(error.detail).not.toContain("other-token");
});

test("a tool's failure is a result, an error of the protocol is an error", async () => {
  expect(await call(over("/mcp"), "tools/call", { name: "fail" })).toMatchObject({ isError: true });
  const unknown = await errorOf(request(over("/mcp"), "prompts/get", { name: "none" }), testContext());
  expect(unknown).toMatchObject({ type: "validation", sent: "none" });
  const broken = await errorOf(request(over("/broken"), "tools/list"), testContext());
  expect(broken).toMatchObject({ type: "communication", status: 500 });
  expect(broken.detail).not.toContain("hidden page");
});

test("timeouts, cuts and oversize answers end the call", async () => {
  // A program takes its time to start, and that is part of the call's.
  for (const [transport, milliseconds] of [
    [over("/mcp"), 500],
    [stdio(), 2000],
  ] as const) {
    const late = request(transport, "tools/call", { name: "sleep" }, { timeout: { milliseconds } });
    expect(await errorOf(late, testContext())).toMatchObject({
      type: "timeout",
      status: 408,
      sent: "possible",
    });
    const large = await errorOf(request(transport, "tools/call", { name: "large" }), testContext());
    expect(large.detail).toContain("over 1048576 bytes");
  }
  const outer = { ...request(over("/mcp"), "tools/call", { name: "sleep" }), timeoutMs: 500 };
  expect(await errorOf(outer, testContext())).toMatchObject({ type: "timeout", sent: "possible" });
  expect((await errorOf(request(over("/cut"), "tools/call", ADD), testContext())).detail).toContain(
    "broke off",
  );
  const gone = await errorOf(request(stdio(), "tools/call", { name: "exit" }), testContext());
  expect(gone).toMatchObject({ type: "communication", sent: "possible" });
}, 20_000);

test("a server on this host sees PATH and what it was given, and does not outlive the call", async () => {
  process.env["LIGHTFLOW_TEST_SECRET"] = "hidden";
  const environment = { TOKEN: "given", BUN_OPTIONS: "--preload ./x.ts" };
  const result = await call(stdio({ environment }), "tools/call", { name: "environment" });
  delete process.env["LIGHTFLOW_TEST_SECRET"];
  const shown = JSON.parse((result as unknown as typeof ADDED).content[0]!.text);
  expect(shown).toMatchObject({ PATH: process.env["PATH"], TOKEN: "given" });
  expect(Object.keys(shown).filter((name) => !["PATH", "TOKEN"].includes(name))).toEqual([]);

  // A grandchild that would stay behind.
  const marker = `${100_000 + process.pid}.5`;
  const shell = stdio({ command: "/bin/sh", arguments: ["-c", `sleep ${marker} & cat > /dev/null`] });
  const stop = new AbortController();
  const error = errorOf(request(shell, "tools/list"), testContext({ signal: stop.signal }));
  while (!isRunning(marker)) await Bun.sleep(5);
  stop.abort();
  expect(await error).toMatchObject({ detail: "the call was cancelled" });
  for (let i = 0; i < 200 && isRunning(marker); i++) await Bun.sleep(5);
  expect(isRunning(marker)).toBe(false);
});

/** Whether a `sleep` of this length is there. */
function isRunning(marker: string): boolean {
  return readdirSync("/proc").some((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, "utf8") === `sleep\0${marker}\0`;
    } catch {
      return false;
    }
  });
}

test("where a policy allows it alone: addresses and programs", async () => {
  const context = testContext({ policy: denyPrivate });
  expect(await errorOf(request(over("/mcp"), "tools/list"), context)).toMatchObject({
    type: "authorization",
  });
  const withNetwork = testContext({ policy: { ...allowAll, processes: false } });
  expect(await errorOf(request(stdio(), "tools/list"), withNetwork)).toMatchObject({ type: "authorization" });
  for (const args of [
    request(stdio({ command: "/no/such/program" }), "tools/list"),
    request(over("/mcp"), "tools/remove"),
    request({}, "tools/list"),
  ])
    expect(await errorOf(args, testContext())).toMatchObject({ type: "configuration", sent: "none" });
});
