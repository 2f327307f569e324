import { expect, test } from "bun:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { gateway, type TestGateway } from "../../test/support/gateway.ts";
import { appendLines, putArtifact } from "../../test/support/history.ts";

async function connected(g: TestGateway, token?: string): Promise<Client> {
  const client = new Client({ name: "test", version: "1" });
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const transport = new StreamableHTTPClientTransport(new URL(`${g.url}/mcp`), { requestInit: { headers } });
  await client.connect(transport as never);
  return client;
}

interface Called {
  isError?: boolean;
  structuredContent?: Record<string, unknown>;
  content: { text: string }[];
}
const call = async (client: Client, name: string, args: Record<string, unknown> = {}) =>
  (await client.callTool({ name, arguments: args })) as unknown as Called;

test("an agent lists, starts, watches and reads a run by tools, with progress", async () => {
  const g = await gateway();
  const client = await connected(g);
  expect(client.getServerVersion()).toMatchObject({ name: "lightflow" });
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      "list_workflows",
      "list_models",
      "start_run",
      "watch_run",
      "cancel_run",
      "get_run",
      "run_events",
      "list_artifacts",
      "read_artifact",
      "list_inbox",
      "answer_question",
    ]),
  );
  for (const { name, inputSchema, description, annotations } of tools) {
    expect(name).toMatch(/^[a-z_]{1,64}$/);
    expect(inputSchema.additionalProperties, name).toBe(name === "send_event");
    expect(description!.length).toBeGreaterThan(10);
    expect(annotations).toBeDefined();
  }
  const listed = await call(client, "list_workflows");
  expect(JSON.parse(listed.content[0]!.text)).toEqual(listed.structuredContent);
  expect(JSON.stringify(listed.structuredContent)).toContain("workflow.now");

  const started = await call(client, "start_run", { workflow_asset_id: "workflow.slow", run_id: "a" });
  expect(started.structuredContent).toMatchObject({ run_id: "a", created: true });
  const seen: number[] = [];
  const watching = client.callTool(
    { name: "watch_run", arguments: { run_id: "a", timeout_ms: 20_000 } },
    undefined,
    { onprogress: ({ progress }) => seen.push(progress) },
  ) as Promise<unknown> as Promise<Called>;
  await appendLines(g.host, "a", 3);
  await call(client, "cancel_run", { run_id: "a" });
  const { structuredContent: end } = await watching;
  expect(end).toMatchObject({ run_id: "a", status: "cancelled" });
  expect(seen).toEqual(Array.from({ length: end!["last_seq"] as number }, (_, at) => at + 1));
  expect((await call(client, "lightflow.get_run", { run_id: "a" })).structuredContent).toMatchObject({
    status: "cancelled",
  });
  await client.close();
});

test("a tool that fails says so in its result, a tool that is not there in the protocol", async () => {
  const g = await gateway();
  const client = await connected(g);
  const missing = await call(client, "get_run", { run_id: "none" });
  expect(missing.isError).toBe(true);
  expect(JSON.parse(missing.content[0]!.text)).toMatchObject({ code: "not_found", status: 404 });
  for (const bad of [{ run_id: "../x" }, { run_id: "a", more: 1 }, {}]) {
    const refused = await call(client, "get_run", bad);
    expect(JSON.parse(refused.content[0]!.text)).toMatchObject({ code: "invalid_request" });
  }
  expect((await call(client, "list_workflows", { kind: "nodes" })).isError).toBe(true);
  expect((await call(client, "list_workflows", { project_root: "/" })).isError).toBe(true);
  await expect(call(client, "no_such_tool")).rejects.toThrow("unknown tool");
  await expect(call(client, "token_create")).rejects.toThrow("unknown tool");
  await client.close();
});

test("resources and their templates read as the operations answer", async () => {
  const g = await gateway();
  const client = await connected(g);
  await call(client, "start_run", { workflow_asset_id: "workflow.slow", run_id: "a" });
  const read = async (uri: string) => {
    const { contents } = await client.readResource({ uri });
    return JSON.parse((contents[0] as { text: string }).text) as never;
  };
  const { resources } = await client.listResources();
  for (const name of ["workflows", "nodes", "runtime", "runs", "mcp"]) {
    expect(resources.map(({ uri }) => uri)).toContain(`lightflow://${name}`);
    expect(await read(`lightflow://${name}`)).toBeObject();
  }
  const { resourceTemplates } = await client.listResourceTemplates();
  expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toContain("lightflow://runs/{run_id}");
  expect(await read("lightflow://runs/a")).toEqual((await g.json("/runs/a")).body);
  const digest = await putArtifact(g.host, "a", "note.txt", "text/plain", Buffer.from("héllo"));
  expect(await read(`lightflow://artifacts/${digest}`)).toMatchObject({
    data: "héllo",
    encoding: "utf-8",
  } as never);
  for (const uri of ["lightflow://nothing", "lightflow://runs/none", "file:///etc/passwd"]) {
    await expect(read(uri)).rejects.toMatchObject({ code: -32002 });
  }
  await client.close();
});

test("the versions that clients speak are negotiated, and what is no message is refused", async () => {
  const g = await gateway();
  const post = async (body: unknown, headers: Record<string, string> = {}) => {
    const response = await g.fetch("/mcp", {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...headers,
      },
    });
    const text = await response.text();
    return { status: response.status, body: (text === "" ? null : JSON.parse(text)) as never };
  };
  const initialize = (protocolVersion: string) => ({
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion, capabilities: {}, clientInfo: { name: "t", version: "1" } },
  });
  for (const version of ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]) {
    expect(await post(initialize(version))).toMatchObject({
      status: 200,
      body: { result: { protocolVersion: version } } as never,
    });
  }
  expect(await post(initialize("1999-01-01"))).toMatchObject({
    body: { result: { protocolVersion: "2025-11-25" } } as never,
  });
  expect(await post({ jsonrpc: "2.0", method: "notifications/initialized" })).toEqual({
    status: 202,
    body: null as never,
  });
  expect(await post({ jsonrpc: "2.0", id: 2, method: "no/such" })).toMatchObject({
    body: { error: { code: -32601 } } as never,
  });
  expect((await post({ id: 3 })).status).toBe(400);
  expect((await post('{"jsonrpc":"2.0","id":1,"id":2}')).status).toBe(400);
  expect((await post(initialize("2025-11-25"), { "content-type": "text/plain" })).status).toBe(415);
  expect((await post(initialize("2025-11-25"), { accept: "text/html" })).status).toBe(406);
  expect((await post(initialize("2025-11-25"), { origin: "https://evil.example" })).status).toBe(403);
  expect((await post(initialize("2025-11-25"), { host: "evil.example" })).status).toBe(403);
  expect((await g.fetch("/mcp", { headers: { accept: "text/event-stream" } })).status).toBe(405);
  expect((await g.json("/mcp")).body).toMatchObject({ path: "/mcp" } as never);
});

test("a token's scopes hold for tools too, and its tenant", async () => {
  const g = await gateway({ requireToken: true });
  await expect(connected(g)).rejects.toThrow();
  const reader = await connected(g, await g.token(["read"]));
  const refused = await call(reader, "start_run", { workflow_asset_id: "workflow.now" });
  expect(JSON.parse(refused.content[0]!.text)).toMatchObject({
    code: "forbidden",
    details: { scope: "run" },
  });
  await g.json("/runs/start", {
    json: { workflow_asset_id: "workflow.now", run_id: "a" },
    token: await g.token(["run"]),
  });
  const other = await connected(g, await g.token(["read"], "other"));
  expect((await call(other, "get_run", { run_id: "a" })).isError).toBe(true);
  expect((await call(reader, "get_run", { run_id: "a" })).structuredContent).toMatchObject({ run_id: "a" });
  await reader.close();
  await other.close();
});

test("a plain message is answered as the SDK answers it, and what is not plain by the SDK itself", async () => {
  const g = await gateway();
  await (await connected(g)).callTool({
    name: "start_run",
    arguments: { workflow_asset_id: "workflow.now", run_id: "a" },
  });
  const ask = async (message: object, contentType: string) => {
    const response = await fetch(`${g.url}/mcp`, {
      method: "POST",
      body: JSON.stringify({ jsonrpc: "2.0", id: "one", ...message }),
      headers: {
        "content-type": contentType,
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2025-06-18",
      },
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const called = (params: object) => ({ method: "tools/call", params });
  const clientInfo = { name: "t", version: "1" };
  const greeting = (params: object) => ({
    method: "initialize",
    params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo, ...params },
  });
  const messages = [
    greeting({}),
    greeting({ protocolVersion: "1999-01-01" }),
    greeting({
      capabilities: { roots: { listChanged: true }, sampling: {}, elicitation: {} },
      clientInfo: { ...clientInfo, title: "T" },
    }),
    greeting({ capabilities: { elicitation: { form: {} }, tasks: {} } }),
    greeting({ capabilities: { roots: [] } }),
    greeting({ clientInfo: { name: "t" } }),
    greeting({ protocolVersion: 1 }),
    { method: "initialize" },
    { method: "tools/list" },
    { method: "tools/list", params: {} },
    called({ name: "run_events", arguments: { run_id: "a" } }),
    called({ name: "list_workflows" }),
    called({ name: "get_run", arguments: { run_id: "no-such-run" } }),
    called({ name: "list_workflows", arguments: { kind: "nodes" } }),
    called({ name: "get_run", arguments: [] }),
    called({ name: "no_such_tool" }),
    called({ name: "__proto__" }),
    { method: "tools/nothing" },
    { method: "tools/list", id: 1.5 },
    { method: "tools/list", more: true },
  ];
  for (const message of messages) {
    // The SDK alone answers a content type with a parameter.
    const whole = await ask(message, "application/json; charset=utf-8");
    expect(await ask(message, "application/json"), JSON.stringify(message)).toEqual(whole);
  }
});
