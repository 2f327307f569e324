import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gateway } from "../../test/support/gateway.ts";
import { sha256 } from "../base/canonical.ts";
import { silentLog } from "../base/log.ts";
import { openHost } from "../host/index.ts";
import { callSocket } from "../host/socket.ts";
import { createAccessToken, listAudit } from "../store/index.ts";

test("the loopback address asks for no token, and takes one where it is given", async () => {
  const g = await gateway();
  expect((await g.fetch("/runs")).status).toBe(200);
  expect((await g.fetch("/admin/tokens")).status).toBe(200);
  const token = await g.token(["read"]);
  expect((await g.fetch("/runs", { token })).status).toBe(200);
  expect((await g.fetch("/runs", { token: "nobody.knows" })).status).toBe(401);
});

test("without a token, with a wrong, an expired, a revoked one: 401 as a problem that tells them not apart", async () => {
  const g = await gateway({ requireToken: true });
  const token = await g.token(["read", "admin"]);
  const bodies = new Set<string>();
  const refused = async (headers: Record<string, string>) => {
    const response = await g.fetch("/runs", { headers });
    expect(response.status).toBe(401);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    return await response.text();
  };
  await refused({});
  await refused({ authorization: "Basic eDp5" });
  bodies.add(await refused({ authorization: "Bearer none.none" }));
  bodies.add(await refused({ authorization: `Bearer ${token}x` }));
  expect((await g.fetch("/runs", { token })).status).toBe(200);
  expect((await g.json(`/admin/tokens/${token.split(".")[0]}`, { method: "DELETE", token })).status).toBe(
    200,
  );
  bodies.add(await refused({ authorization: `Bearer ${token}` }));
  await g.host.context.records.write(createAccessToken, {
    id: "old",
    tenant_id: "default",
    subject: "x",
    roles: [],
    scopes: ["read"],
    hash: sha256("secret"),
    created_by: "x",
    created_at: 0,
    expires_at: Date.now() - 1,
  });
  bodies.add(await refused({ authorization: "Bearer old.secret" }));
  expect(bodies.size).toBe(1);
  expect((await g.fetch("/health")).status).toBe(200);
  const audit = g.host.context.views.read(listAudit, { tenantId: "default", after: 0, limit: 100 });
  expect(audit.map(({ action }) => action)).toContain("token.revoked");
});

test("a scope that a token lacks is 403, and nobody gives away more than he has", async () => {
  const g = await gateway();
  const read = await g.token(["read"]);
  const start = { workflow_asset_id: "workflow.now" };
  expect(await g.json("/runs/start", { json: start, token: read })).toMatchObject({
    status: 403,
    body: { code: "forbidden", details: { scope: "run" } } as never,
  });
  const admin = await g.token(["admin"]);
  const make = (scopes: string[]) =>
    g.json("/admin/tokens", { json: { subject: "x", scopes }, token: admin });
  expect((await make(["admin"])).status).toBe(201);
  expect((await make(["run"])).status).toBe(403);
  expect(
    (await g.json("/admin/tokens", { json: { subject: "x", scopes: ["admin"], tenant: "b" }, token: admin }))
      .status,
  ).toBe(403);
});

test("a tenant sees its own runs alone, whichever way it asks", async () => {
  const g = await gateway();
  const other = await g.token(["read", "run", "admin"], "other");
  const started = await g.json("/runs/start", {
    json: { workflow_asset_id: "workflow.now", run_id: "mine" },
  });
  expect(started.status).toBe(202);
  expect(await g.json("/runs", { token: other })).toMatchObject({ body: { runs: [] } as never });
  for (const path of ["", "/events", "/steps", "/artifacts", "/logs", "/workflow", "/wait"]) {
    expect((await g.json(`/runs/mine${path}`, { token: other })).status).toBe(404);
  }
  expect((await g.json("/runs/mine/cancel", { json: {}, token: other })).status).toBe(404);
  // The same name is free for another tenant.
  const theirs = { json: { workflow_asset_id: "workflow.now", run_id: "mine" }, token: other };
  expect(await g.json("/runs/start", theirs)).toMatchObject({
    status: 202,
    body: { created: true } as never,
  });
  // What a role of this host says on the socket counts; the header says nothing on TCP.
  const seen = await callSocket(g.socket, "listTokens", {}, undefined, { tenantId: "other", subject: "x" });
  expect(seen.tokens.map(({ tenant }) => tenant)).toEqual(["other"]);
  const acting = { "lightflow-acting-for": JSON.stringify({ tenantId: "other", subject: "x" }) };
  expect(await g.json("/admin/tokens", { headers: acting })).toMatchObject({ body: { tokens: [] } as never });
});

test("an address that others reach is not served while there is no token", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bind-"));
  const paths = { config: directory, state: directory, cache: directory, runtime: join(directory, "run") };
  const listen = { host: "0.0.0.0", port: 0, controllerPort: 0 };
  const opening = openHost({ paths, log: silentLog, root: directory, runner: null, listen });
  await expect(opening).rejects.toMatchObject({
    code: "forbidden",
    hint: expect.stringContaining("token create"),
  });
  rmSync(directory, { recursive: true });

  const g = await gateway({ host: "0.0.0.0" });
  const port = new URL(g.url).port;
  expect((await fetch(`http://127.0.0.1:${port}/runs`)).status).toBe(401);
  const authorization = `Bearer ${await g.token(["read"])}`;
  expect((await fetch(`http://127.0.0.1:${port}/runs`, { headers: { authorization } })).status).toBe(200);
});

test("the Unix socket is for its user alone: 0600 in a directory of 0700", async () => {
  const g = await gateway();
  expect(statSync(g.socket).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(g.socket)).mode & 0o777).toBe(0o700);
});

test("a host name or an origin that is not ours is refused before anything else", async () => {
  const g = await gateway({ names: ["flow.example"] });
  const port = new URL(g.url).port;
  const status = async (headers: Record<string, string>, method = "GET") =>
    (await g.fetch("/health", { headers, method })).status;
  expect(await status({ host: `evil.example:${port}` })).toBe(403);
  expect(await status({ host: `flow.example:${port}` })).toBe(200);
  expect(await status({ origin: "https://evil.example" })).toBe(403);
  expect(await status({ origin: "null" })).toBe(403);
  expect(await status({ origin: g.url })).toBe(200);
  const cross = await g.fetch("/runs/start", {
    method: "POST",
    headers: { origin: "https://evil.example", "content-type": "text/plain" },
    body: '{"workflow_asset_id":"workflow.now"}',
  });
  expect(cross.status).toBe(403);
  expect(await g.json("/runs")).toMatchObject({ body: { runs: [] } as never });
});
