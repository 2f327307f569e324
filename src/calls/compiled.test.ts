import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { build } from "../../scripts/build.ts";
import type { Json } from "../base/json.ts";
import type { CallRequest } from "./call.ts";
import { testRequest } from "./testing/context.ts";

const directory = mkdtempSync(join(tmpdir(), "lightflow-compiled-"));
const executable = join(directory, "calls");
const server = new grpc.Server();
let port = 0;

beforeAll(async () => {
  const bytes = (value: Buffer) => value;
  const method = { path: "/p.S/Echo", requestStream: false, responseStream: false };
  const codec = {
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  server.addService(
    { Echo: { ...method, ...codec } },
    { Echo: (call: { request: Buffer }, done: grpc.sendUnaryData<Buffer>) => done(null, call.request) },
  );
  port = await new Promise((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  await build(executable, join("src", "calls", "testing", "compiled-main.ts"));
}, 60_000);
afterAll(() => {
  server.forceShutdown();
  rmSync(directory, { recursive: true });
});

/** The program runs where no `node_modules` is above it. */
async function run(request: CallRequest, resource = ""): Promise<Json> {
  const child = Bun.spawn([executable, JSON.stringify({ request, resource })], {
    cwd: directory,
    stderr: "pipe",
  });
  const [output, error] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(error);
  return JSON.parse(output) as Json;
}

test("gRPC works in an executable, 64-bit integers whole", async () => {
  const proto =
    'syntax = "proto3"; package p; message M { int64 id = 1; string name = 2; } service S { rpc Echo (M) returns (M); }';
  const message = { id: "9007199254740993", name: "here" };
  const request = testRequest("grpc", {
    proto: { endpoint: "file://x.proto" },
    service: { name: "p.S", host: "127.0.0.1", port },
    method: "Echo",
    arguments: message,
  });
  expect(await run(request, proto)).toEqual(message);
});

test("MCP works in an executable", async () => {
  const stdio = { command: process.execPath, arguments: [join(import.meta.dir, "testing", "mcp-stdio.ts")] };
  const request = testRequest("mcp", {
    method: "tools/call",
    parameters: { name: "add", arguments: {} },
    transport: { stdio },
  });
  expect(await run(request)).toMatchObject({ content: [{ text: "added" }] });
});
