import { expect, test } from "bun:test";
import { connect } from "node:net";
import { gateway, type TestGateway } from "../support/gateway.ts";

/** Send bytes as they are. @returns what came back until the server closed, or for a while */
function raw(g: TestGateway, parts: (string | Uint8Array)[], patience = 15_000): Promise<string> {
  const { hostname, port } = new URL(g.url);
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(Number(port), hostname);
    const done = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    const timer = setTimeout(done, patience);
    socket.on("data", (data) => {
      text += data.toString("latin1");
    });
    socket.on("close", done);
    socket.on("error", done);
    for (const part of parts) socket.write(part);
  });
}

const head = (g: TestGateway, more: string[], path = "/runs/start") =>
  [`POST ${path} HTTP/1.1`, `host: ${new URL(g.url).host}`, "connection: close", ...more, "", ""].join(
    "\r\n",
  );

/** An answer in the declared shape of errors, with nothing of the inside of the program. */
function problem(answer: string): { status: number; code: string } {
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
  expect(answer).toContain("application/problem+json");
  const body = JSON.parse(answer.slice(answer.indexOf("{"), answer.lastIndexOf("}") + 1)) as {
    code: string;
    status: number;
  };
  expect(body.status).toBe(status);
  expect(answer).not.toMatch(/\bat .*\.ts:\d+|node_modules|\/src\//);
  return { status, code: body.code };
}

async function nothingHappened(g: TestGateway): Promise<void> {
  expect(await g.json("/runs")).toMatchObject({ status: 200, body: { runs: [] } as never });
}

test("a body over the limit is refused, whether it says its length, comes in chunks, or lies", async () => {
  const g = await gateway();
  const json = "content-type: application/json";
  expect(problem(await raw(g, [head(g, [json, "content-length: 99999999"])]))).toEqual({
    status: 413,
    code: "payload_too_large",
  });
  const piece = "x".repeat(64 * 1024);
  const chunk = `${piece.length.toString(16)}\r\n${piece}\r\n`;
  const chunks = [
    head(g, [json, "transfer-encoding: chunked"]),
    ...Array.from({ length: 40 }, () => chunk),
    "0\r\n\r\n",
  ];
  expect(problem(await raw(g, chunks))).toEqual({ status: 413, code: "payload_too_large" });
  const body = JSON.stringify({ workflow_asset_id: "workflow.now", run_id: "lie" });
  // Shorter than it is: what is left over is no request.
  const short = await raw(g, [head(g, [json, "content-length: 10"]), body]);
  expect(problem(short).status).toBe(400);
  // Longer than it is: the rest never comes, and nothing is done.
  expect(await raw(g, [head(g, [json, `content-length: ${body.length + 10}`]), body], 300)).toBe("");
  const both = await raw(g, [
    head(g, [json, "content-length: 5", "transfer-encoding: chunked"]),
    "0\r\n\r\n",
  ]);
  expect(both).not.toMatch(/^HTTP\/1\.1 2/);
  await nothingHappened(g);
});

test("what is no JSON of the declared shape is refused and says why", async () => {
  const g = await gateway();
  const send = async (body: string | Uint8Array, type = "application/json") => {
    const response = await g.fetch("/runs/start", {
      method: "POST",
      body,
      headers: { "content-type": type },
    });
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    const problem = (await response.json()) as { code: string; error: string };
    return [response.status, problem.code, problem.error] as const;
  };
  const good = '{"workflow_asset_id":"workflow.now"}';
  for (const type of [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/jsonp",
    "text/json",
  ]) {
    expect((await send(good, type))[1]).toBe("unsupported_media_type");
  }
  const broken: (string | Uint8Array)[] = [
    "",
    "{",
    `${good}x`,
    `\ufeff${good}`,
    '{"workflow_asset_id":"workflow.now","workflow_asset_id":"workflow.slow"}',
    '{"workflow_asset_id":"workflow.now","inputs":{"a":1,"a":2}}',
    '{"workflow_asset_id":"workflow.now","inputs":NaN}',
    '{"workflow_asset_id":"workflow.now","inputs":Infinity}',
    '{"workflow_asset_id":"workflow.now","inputs":1e999}',
    '{"workflow_asset_id":"workflow.now","inputs":9007199254740993}',
    `{"workflow_asset_id":"workflow.now","inputs":${"[".repeat(5000)}${"]".repeat(5000)}}`,
    '{"workflow_asset_id":"\\ud800"}',
    new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
  ];
  for (const body of broken) {
    const [status, code] = await send(body);
    expect([400, code], String(body).slice(0, 60)).toEqual([
      status,
      body === "" ? "invalid_request" : "invalid_json",
    ]);
  }
  for (const body of [
    "[]",
    "null",
    '"x"',
    '{"workflow_asset_id":"workflow.now","more":1}',
    '{"workflow_asset_id":"workflow.now","run_id":"../x"}',
    '{"__proto__":{"a":1},"workflow_asset_id":"workflow.now"}',
    '{"workflow_asset_id":"workflow.now","tenant_id":"other"}',
  ]) {
    expect((await send(body)).slice(0, 2)).toEqual([400, "invalid_request"]);
  }
  await nothingHappened(g);
});

test("floods of headers, requests that trickle and requests that are none leave the server answering", async () => {
  const g = await gateway();
  const flood = Array.from({ length: 5000 }, (_, at) => `x-${at}: ${"y".repeat(100)}`);
  expect(await raw(g, [head(g, flood)])).toMatch(/^HTTP\/1\.1 (431|400|413)|^$/);
  expect(await raw(g, ["NONSENSE\r\n\r\n"], 500)).not.toMatch(/^HTTP\/1\.1 2/);
  expect(await raw(g, ["GET / HTTP/9.9\r\n\r\n"], 500)).not.toMatch(/^HTTP\/1\.1 2/);
  expect(await raw(g, [Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc])], 500)).not.toMatch(/^HTTP\/1\.1 2/);
  // Fifty clients that never finish their request.
  const slow = Array.from({ length: 50 }, () => raw(g, [head(g, ["content-length: 100"]).slice(0, 40)], 600));
  expect((await g.fetch("/health")).status).toBe(200);
  await Promise.all(slow);
  await nothingHappened(g);
});

test("a page of another site reaches nothing: not by its host, not by its origin, not by a form, not by a socket", async () => {
  const g = await gateway();
  const { host, port } = new URL(g.url);
  const line = (path: string, headers: string[]) =>
    [`GET ${path} HTTP/1.1`, ...headers, "connection: close", "", ""].join("\r\n");
  for (const name of [
    "evil.example",
    `evil.example:${port}`,
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "[::2]",
    "127.0.0.1@evil.example",
    "",
  ]) {
    expect(problem(await raw(g, [line("/runs", [`host: ${name}`])])), name).toMatchObject({
      status: 403,
      code: "forbidden",
    });
  }
  expect(await raw(g, [line("/runs", [])])).not.toMatch(/^HTTP\/1\.1 2/);
  for (const origin of [
    "null",
    "https://evil.example",
    `http://${host}.evil.example`,
    "http://localhost:1",
  ]) {
    expect(problem(await raw(g, [line("/runs", [`host: ${host}`, `origin: ${origin}`])]))).toMatchObject({
      status: 403,
    });
    const upgrade = [
      "upgrade: websocket",
      "connection: upgrade",
      "sec-websocket-version: 13",
      "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    expect(
      problem(await raw(g, [line("/runs/r/stream", [`host: ${host}`, `origin: ${origin}`, ...upgrade])])),
    ).toMatchObject({ status: 403 });
  }
  expect(
    (
      await g.fetch("/runs/start", {
        method: "OPTIONS",
        headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
      })
    ).headers.get("access-control-allow-origin"),
  ).toBeNull();
  await nothingHappened(g);
});

test("encoded dots and slashes in a path name nothing but themselves", async () => {
  const g = await gateway();
  await g.json("/runs/start", { json: { workflow_asset_id: "workflow.now", run_id: "r" } });
  const line = (path: string) =>
    `GET ${path} HTTP/1.1\r\nhost: ${new URL(g.url).host}\r\nconnection: close\r\n\r\n`;
  for (const path of [
    "/runs/%2e%2e",
    "/runs/..%2fadmin%2ftokens",
    "/runs/r%2fevents",
    "/runs/%252e%252e",
    "/runs/r%00",
    "/runs/%ff",
    "/runs/%",
    "/runs/r/../../admin/tokens/x",
    "/assets/%2e%2e%2fworkflows",
    `/runs/${"a".repeat(5000)}`,
    "/artifacts/..%2f..%2flightflow.db",
  ]) {
    const { status } = problem(await raw(g, [line(path)]));
    // Plain dots are resolved before the path is looked up: what they lead to answers to its own methods alone.
    expect([400, 404, 405], path).toContain(status);
  }
});
