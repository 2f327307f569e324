import { expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { gateway } from "../../test/support/gateway.ts";

/** The status line and body of a request whose path nobody has tidied. */
function raw(url: string, path: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(Number(port), hostname);
    socket.on("data", (data) => (text += data.toString()));
    socket.on("close", () => resolve(text));
    socket.write(`GET ${path} HTTP/1.1\r\nhost: ${hostname}\r\nconnection: close\r\n\r\n`);
  });
}

test("without a client there is no page, with one it is served under a policy and never left", async () => {
  const g = await gateway();
  expect(await g.json("/")).toMatchObject({ status: 404, body: { code: "not_found" } as never });
  const dist = join(g.root, "LightFlowUI/dist");
  mkdirSync(join(dist, "assets"), { recursive: true });
  writeFileSync(join(dist, "index.html"), "<p>page");
  writeFileSync(join(dist, "assets/app-1a2b3c4d.js"), "1");
  writeFileSync(join(g.root, "secret.txt"), "secret");
  symlinkSync(join(g.root, "secret.txt"), join(dist, "link.txt"));
  for (const path of ["/", "/LightFlowUI/", "/some/page"]) {
    const page = await g.fetch(path);
    expect(await page.text()).toBe("<p>page");
    expect(page.headers.get("content-type")).toStartWith("text/html");
    expect(page.headers.get("cache-control")).toContain("no-store");
    expect(page.headers.get("content-security-policy")).toContain("script-src 'self'");
  }
  const script = await g.fetch("/LightFlowUI/assets/app-1a2b3c4d.js");
  expect(script.headers.get("cache-control")).toContain("immutable");
  expect((await g.fetch("/assets/none.js")).status).toBe(400);
  expect((await g.fetch("/none.js")).status).toBe(404);
  for (const path of [
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/assets%2f..%2f..%2f..%2fsecret.txt",
    "/LightFlowUI/..%5c..%5csecret.txt",
    "/link.txt",
    "/LightFlowUI/../../secret.txt",
    "/%00",
    "/%ff.txt",
    "//etc/passwd.txt",
  ]) {
    const answer = await raw(g.url, path);
    expect(answer, path).toMatch(/^HTTP\/1\.1 (400|403|404) /);
    expect(answer, path).toContain("application/problem+json");
    expect(answer, path).not.toContain("secret\n");
  }
  expect((await g.fetch("/", { method: "POST" })).status).toBe(404);
});

test("liveness and readiness differ, and counts are there for a scraper", async () => {
  const g = await gateway();
  expect(await g.json("/health")).toMatchObject({ status: 200, body: { status: "ok" } as never });
  expect(await g.json("/ready")).toEqual({ status: 200, body: { ready: true } as never });
  await g.json("/runs/start", { json: { workflow_asset_id: "workflow.slow", run_id: "r" } });
  await g.json("/runs/none");
  const response = await g.fetch("/metrics");
  expect(response.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
  const text = await response.text();
  for (const line of text.trimEnd().split("\n")) {
    expect(line).toMatch(
      /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+)$/,
    );
  }
  expect(text).toContain('lightflow_runs{phase="waiting"} 1');
  expect(text).toContain("lightflow_queue_waiting 1");
  expect(text).toContain('lightflow_http_request_duration_seconds_count{operation="run.get",status="404"} 1');
  expect(text).toContain(
    'lightflow_http_request_duration_seconds_bucket{operation="run.start",status="202",le="+Inf"} 1',
  );
  expect((await g.fetch("/metrics", { token: await g.token(["read"]) })).status).toBe(403);
});
