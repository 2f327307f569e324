import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { tmpdir } from "node:os";
import { prerequisite } from "../../test/support/require.ts";
import { runnerBenches } from "../../test/support/runner.ts";
import type { Lease } from "../protocol/index.ts";
import { probeSandboxes } from "./sandboxes/index.ts";

setDefaultTimeout(30_000);

const benches = runnerBenches();
afterEach(() => benches.close());

const seen: { method: string; authorization: string | null; key: string | null }[] = [];
const server = Bun.serve({
  port: 0,
  async fetch(request) {
    const { headers, method } = request;
    seen.push({ method, authorization: headers.get("authorization"), key: headers.get("idempotency-key") });
    const path = new URL(request.url).pathname;
    if (path === "/missing") return new Response("no", { status: 404 });
    if (path !== "/mcp") return Response.json({ path, body: await request.text() });
    if (method !== "POST") return new Response("", { status: 405 });
    const {
      id,
      method: asked,
      params,
    } = (await request.json()) as {
      id?: number;
      method: string;
      params: Record<string, unknown>;
    };
    if (id === undefined) return new Response("", { status: 202 });
    const result =
      asked === "initialize"
        ? {
            protocolVersion: params["protocolVersion"],
            capabilities: { tools: {} },
            serverInfo: { name: "s", version: "1" },
          }
        : { content: [{ type: "text", text: `did ${String(params["name"])}` }] };
    return Response.json({ jsonrpc: "2.0", id, result });
  },
});
afterAll(() => server.stop(true));

let isolated = false;
let place = "";
beforeAll(async () => {
  const probe = await probeSandboxes({
    dataDirectory: tmpdir(),
    readOnlyPaths: [],
    temporaryBytes: 64 << 20,
  });
  isolated = prerequisite("userns", probe.bubblewrap !== null, probe.remedy ?? "");
  place = `http://127.0.0.1:${server.port}`;
});

const callLease = (kind: "http" | "mcp", args: object, more: Partial<Lease> = {}, secrets = {}) => ({
  taskType: `call.${kind}`,
  call: { kind },
  task: {
    type: "run.shell" as const,
    command: "lightflow",
    arguments: ["call", kind],
    environment: Object.keys(secrets).length === 0 ? {} : { CALL_SECRET_0: "runner-secret://token" },
    stdin: JSON.stringify({ kind, with: args, secrets, timeoutMs: 10_000, idempotencyKey: "run/effect" }),
  },
  network: "allowlisted" as const,
  networkHosts: { allow: ["127.0.0.1"], deny: [] },
  output: "json" as const,
  sandbox: { mode: "per-agent-call" as const },
  ...more,
});

test("a call into the tenant's network is made in a sandbox, to the one host that its lease names", async () => {
  if (!isolated) return;
  process.env["CALL_TEST_TOKEN"] = "token-of-the-tenant";
  const { controller } = benches.start({ secrets: { token: { env: "CALL_TEST_TOKEN" } } });
  const post = controller.offer(
    callLease(
      "http",
      {
        method: "post",
        endpoint: { uri: `${place}/orders`, authentication: { bearer: { token: null } } },
        body: { n: 1 },
      },
      {},
      { "/endpoint/authentication/bearer": "CALL_SECRET_0" },
    ),
  );
  const result = await controller.result(post);
  expect([result.status, result.summary]).toEqual(["succeeded", "exit code 0"]);
  expect(result.output).toEqual({ result: { path: "/orders", body: '{"n":1}' } });
  expect(result.egress).toMatchObject([{ host: "127.0.0.1", port: server.port, allowed: true }]);
  expect(seen.at(-1)).toEqual({
    method: "POST",
    authorization: "Bearer token-of-the-tenant",
    key: "run/effect",
  });
  expect(JSON.stringify(result)).not.toContain("token-of-the-tenant");
});

test("a server of MCP in the tenant's network is called, and a call's own error keeps its type", async () => {
  if (!isolated) return;
  const { controller } = benches.start();
  const tool = controller.offer(
    callLease("mcp", {
      method: "tools/call",
      parameters: { name: "look", arguments: {} },
      transport: { http: { endpoint: `${place}/mcp` } },
    }),
  );
  const missing = controller.offer(callLease("http", { method: "get", endpoint: `${place}/missing` }));
  expect((await controller.result(tool)).output).toEqual({
    result: { content: [{ type: "text", text: "did look" }] },
  });
  expect((await controller.result(missing)).output).toMatchObject({
    error: { type: "communication", status: 404 },
  });
});

test("a host that the lease does not name is not reached, whatever the call says", async () => {
  if (!isolated) return;
  const { controller } = benches.start();
  const before = seen.length;
  const lease = controller.offer(
    callLease(
      "http",
      { method: "post", endpoint: `${place}/orders` },
      { networkHosts: { allow: ["db.corp.example"], deny: [] } },
    ),
  );
  const result = await controller.result(lease);
  expect(result.output).toMatchObject({ error: {} });
  expect(result.egress).toMatchObject([{ host: "127.0.0.1", allowed: false }]);
  expect(seen).toHaveLength(before);
});
