import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gateway } from "../../test/support/gateway.ts";
import { Store } from "../store/index.ts";

test("assets are listed under the short paths, and each has a card", async () => {
  const g = await gateway();
  const list = (await g.json("/workflows")).body as { assets: { meta: { id: string } }[] };
  expect(list.assets.map(({ meta }) => meta.id)).toContain("workflow.now");
  for (const kind of ["nodes", "compositions", "models"]) {
    expect((await g.json(`/${kind}`)).body as unknown).toEqual((await g.json(`/assets/${kind}`)).body);
  }
  const card = await g.json("/workflows/workflow.now");
  expect(card).toMatchObject({
    status: 200,
    body: { record: { meta: { id: "workflow.now" } }, diagnostics: [] } as never,
  });
  expect((await g.json("/nodes/node.none")).body).toMatchObject({ code: "asset_not_found" } as never);
  expect((await g.json("/nodes/..%2F..%2Fetc%2Fpasswd")).status).toBe(404);

  mkdirSync(join(g.root, "lightflow/nodes"), { recursive: true });
  writeFileSync(join(g.root, "lightflow/nodes/broken.ts"), "export const META = {");
  const checked = (await g.json("/assets/check")).body as {
    diagnostics: { path: string; severity: string }[];
  };
  expect(
    checked.diagnostics.some(({ path, severity }) => path.endsWith("broken.ts") && severity === "error"),
  ).toBe(true);
  expect(((await g.json("/nodes")).body as { diagnostics: unknown[] }).diagnostics).toHaveLength(1);
});

test("runs come page by page, newest first, and of one status or workflow alone", async () => {
  const g = await gateway();
  for (let at = 0; at < 7; at++) {
    const workflow = at % 2 === 0 ? "workflow.now" : "workflow.slow";
    await g.json("/runs/start", { json: { workflow_asset_id: workflow, run_id: `r${at}` } });
    if (at % 2 === 0) await g.json(`/runs/r${at}/wait?wait_ms=5000`);
  }
  const page = async (query: string) => {
    const body = (await g.json(`/runs?${query}`)).body as { runs: { run_id: string }[]; next: string | null };
    return { ids: body.runs.map(({ run_id }) => run_id).join(" "), next: body.next };
  };
  expect(await page("limit=3")).toEqual({ ids: "r6 r5 r4", next: "r4" });
  expect(await page("limit=3&before=r4")).toEqual({ ids: "r3 r2 r1", next: "r1" });
  expect(await page("limit=3&before=r1")).toEqual({ ids: "r0", next: null });
  expect(await page("status=running")).toEqual({ ids: "r5 r3 r1", next: null });
  expect(await page("status=succeeded&workflow=workflow.now&limit=2")).toEqual({ ids: "r6 r4", next: "r4" });
  expect((await g.json("/runs?before=none")).status).toBe(404);
  for (const bad of ["status=odd", "limit=0", "limit=1e3x", "limit=1&limit=2", "offset=1"]) {
    expect((await g.json(`/runs?${bad}`)).status).toBe(400);
  }
});

test("history comes as lines where the caller asks for lines", async () => {
  const g = await gateway();
  await g.json("/runs/start", { json: { workflow_asset_id: "workflow.slow", run_id: "r" } });
  for (const [path, member] of [
    ["events", "events"],
    ["trace", "lines"],
  ] as const) {
    const response = await g.fetch(`/runs/r/${path}`, { headers: { accept: "application/x-ndjson" } });
    expect(response.headers.get("content-type")).toBe("application/x-ndjson; charset=utf-8");
    const lines = (await response.text())
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
    expect(lines).toEqual(((await g.json(`/runs/r/${path}`)).body as Record<string, unknown[]>)[member]!);
  }
});

test("an answer that is kept is never older than the question, whoever changed the store", async () => {
  const g = await gateway();
  await g.json("/runs/start", { json: { workflow_asset_id: "workflow.slow", run_id: "r" } });
  const get = async () => (await g.json("/runs/r")).body as { status: string; updated_at: string };
  const first = await get();
  expect(await get()).toEqual(first);
  // Another process on the same store.
  const path = join(g.host.context.stateDirectory, "lightflow.db");
  const other = Store.open(path);
  for (let at = 1; at <= 20; at++) {
    await other.write((tx) => void tx.run("UPDATE instance SET updated_at = updated_at + 1000"), undefined);
    expect(Date.parse((await get()).updated_at)).toBe(Date.parse(first.updated_at) + at * 1000);
  }
  await other.close();
  await g.json("/runs/r/cancel", { json: {} });
  expect((await get()).status).toBe("cancelled");
  // What is kept for one caller is not told to another.
  expect((await g.json("/runs/r", { token: await g.token(["read"], "other") })).status).toBe(404);
  expect((await g.json("/runs/r", { token: await g.token(["run"]) })).status).toBe(403);
});

test("a method that a path has not is told with those that it has", async () => {
  const g = await gateway();
  const refused = await g.fetch("/runs/some-run", { method: "PUT" });
  expect(refused.status).toBe(405);
  expect(refused.headers.get("allow")).toBe("GET");
  expect(await refused.json()).toMatchObject({ code: "method_not_allowed", hint: "use GET" });
  expect((await g.fetch("/nothing-here", { method: "PUT" })).status).toBe(404);
});
