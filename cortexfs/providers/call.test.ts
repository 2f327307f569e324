import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Socket } from "bun";
import { type Candidate, ChatFailure, callChat, retryAfterMs } from "./call.ts";
import type { Delta } from "./conversation.ts";
import { DIALECTS, FORMATS } from "./dialects.ts";
import { StreamRedactor } from "./redact.ts";
import { parseSecretReference, resolveSecret } from "./secret.ts";
import { EventParser } from "./sse.ts";

const candidate = (port: number): Candidate => ({
  provider: "p",
  model: "m",
  format: "openai.chat",
  baseUrl: `http://127.0.0.1:${port}`,
  keyReference: undefined,
  headers: {},
});

/** A server that sends these bytes and then destroys the connection. */
function cutServer(text: string) {
  return Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket: Socket) {
        socket.write(text);
        socket.flush();
        setTimeout(() => socket.terminate(), 20);
      },
    },
  });
}

async function call(port: number, stream: boolean, deltas: Delta[] = []) {
  try {
    await callChat(
      {
        format: "openai.chat",
        body: { messages: [], stream },
        candidates: [candidate(port)],
        timeoutMs: 5000,
      },
      {
        env: {},
        fetch,
        now: Date.now,
        onDelta: (delta) => deltas.push(delta),
        signal: new AbortController().signal,
      },
    );
  } catch (error) {
    if (error instanceof ChatFailure) return error.failure.code;
    throw error;
  }
  return "ready";
}

test("a connection that is cut in the middle of a stream is an error, and what came before was told", async () => {
  const chunk = 'data: {"choices":[{"delta":{"content":"half"}}]}\n\n';
  const server = cutServer(
    `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n${chunk.length.toString(16)}\r\n${chunk}\r\n`,
  );
  const deltas: Delta[] = [];
  expect(await call(server.port, true, deltas)).toBe("unavailable");
  expect(deltas).toContainEqual({ type: "text", text: "half" });
  server.stop(true);
});

test("a body that ends before its length is an error", async () => {
  const server = cutServer(
    'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"id":"x"',
  );
  expect(await call(server.port, false)).toBe("unavailable");
  server.stop(true);
});

test("a provider that redirects is not followed with the key", async () => {
  let followed = 0;
  const target = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => Response.json({ followed: ++followed }),
  });
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => Response.redirect(`http://127.0.0.1:${target.port}/`, 307),
  });
  expect(await call(server.port!, false)).toBe("unavailable");
  expect(followed).toBe(0);
  server.stop(true);
  target.stop(true);
});

test("every format reads what every other writes", () => {
  const request = {
    model: "m",
    system: "be brief",
    messages: [
      {
        role: "user" as const,
        parts: [
          { type: "text" as const, text: "look" },
          { type: "image" as const, mediaType: "image/png", data: "aGk=" },
        ],
      },
      {
        role: "assistant" as const,
        parts: [{ type: "call" as const, id: "c1", name: "find", input: '{"q":1}' }],
      },
      { role: "tool" as const, parts: [{ type: "result" as const, id: "c1", text: '{"found":2}' }] },
    ],
    tools: [{ name: "find", description: "finds", schema: { type: "object" } }],
    maxTokens: 50,
    temperature: 0.5,
    topP: 0.9,
    stop: [],
    stream: false,
  };
  for (const format of FORMATS) {
    const read = DIALECTS[format].readRequest(DIALECTS[format].writeRequest(request, "m", false));
    const parts = read.messages.flatMap((message) => message.parts);
    expect([format, read.system, read.maxTokens, read.temperature, read.tools[0]?.name]).toEqual([
      format,
      "be brief",
      50,
      0.5,
      "find",
    ]);
    expect(parts.map((part) => part.type)).toEqual(["text", "image", "call", "result"]);
    const call = parts.find((part) => part.type === "call");
    expect(call).toMatchObject({ name: "find", input: '{"q":1}' });
    expect(parts.find((part) => part.type === "result")).toMatchObject({ text: '{"found":2}' });
  }
});

test("every format reads back the response that it writes", () => {
  const response = {
    id: "r1",
    model: "m",
    parts: [
      { type: "text" as const, text: "an answer" },
      { type: "call" as const, id: "c1", name: "find", input: '{"q":1}' },
    ],
    finish: "tool" as const,
    usage: { input: 3, output: 4 },
  };
  for (const format of FORMATS) {
    const { parts, finish, usage, id } = DIALECTS[format].readResponse(
      DIALECTS[format].writeResponse(response, 1000),
    );
    expect([format, id, finish, usage]).toEqual([format, "r1", "tool", { input: 3, output: 4 }]);
    expect(parts[0]).toEqual({ type: "text", text: "an answer" });
    expect(parts[1]).toMatchObject({ type: "call", name: "find", input: '{"q":1}' });
  }
});

test("Retry-After is read as seconds and as a date", () => {
  expect(retryAfterMs("2", 0)).toBe(2000);
  expect(retryAfterMs("Thu, 01 Jan 1970 00:00:05 GMT", 1000)).toBe(4000);
  expect(retryAfterMs("soon", 0)).toBeUndefined();
});

test("an event stream is the same however its bytes are cut", () => {
  const text =
    "event: a\r\ndata: one\r\ndata: zwei ü\r\n\r\n: comment\n\ndata: three\n\nevent: lost\ndata: cut";
  const bytes = Buffer.from(text);
  const expected = [
    { event: "a", data: "one\nzwei ü" },
    { event: undefined, data: "three" },
  ];
  for (let size = 1; size < 20; size++) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < bytes.length; at += size)
      events.push(...parser.push(bytes.subarray(at, at + size)));
    expect(events).toEqual(expected);
  }
});

test("a secret is taken out of a stream wherever the pieces are cut", () => {
  const text = "before s3cr3t-s3cr3t-key after s3cr3t and s3cr3t-s3cr3t-key";
  for (let size = 1; size < text.length; size++) {
    const redactor = new StreamRedactor(["s3cr3t-s3cr3t-key"]);
    let out = "";
    for (let at = 0; at < text.length; at += size) out += redactor.push(text.slice(at, at + size));
    expect(out + redactor.end()).toBe("before [redacted] after s3cr3t and [redacted]");
  }
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "cortexfs-secret-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("secrets come by reference alone, and a file must be closed to others", async () => {
  const file = join(directory, "key");
  writeFileSync(file, "value\n", { mode: 0o600 });
  expect(await resolveSecret(`file:${file}`, {})).toBe("value");
  expect(await resolveSecret("env:KEY", { KEY: "v" })).toBe("v");
  expect(await resolveSecret("systemd-creds:key", { CREDENTIALS_DIRECTORY: directory })).toBe("value");
  chmodSync(file, 0o644);
  for (const [reference, env] of [
    [`file:${file}`, {}],
    ["env:NONE", {}],
    ["systemd-creds:key", {}],
    [`file:${directory}/none`, {}],
    [`file:${directory}`, {}],
    ["sk-a-key-itself", {}],
  ] as const) {
    await expect(resolveSecret(reference, env)).rejects.toMatchObject({ code: "secret_denied" });
  }
  for (const bad of ["env:A B", "file:relative", "systemd-creds:../x", "key", ""])
    expect(parseSecretReference(bad)).toBeUndefined();
});
