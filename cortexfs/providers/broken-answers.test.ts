import { afterAll, expect, test } from "bun:test";
import type { Socket } from "bun";
import { ChatFailure, callChat } from "./call.ts";
import type { Delta } from "./conversation.ts";

/** A provider that answers with these bytes, and then goes away, or says nothing more. */
let bytes: Uint8Array = new Uint8Array();
let ending: "close" | "stall" = "close";
const server = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    data(socket: Socket) {
      socket.write(bytes);
      socket.flush();
      if (ending === "close") setTimeout(() => socket.end(), 10);
    },
  },
});
afterAll(() => server.stop(true));

const join = (...parts: (string | Uint8Array)[]) =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));
const head = (type: string) => `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\nconnection: close\r\n\r\n`;
const piece = (content: string) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
const FINISH = `data: ${JSON.stringify({ choices: [{ delta: {}, finish_reason: "stop" }] })}\n\n`;
const DONE = "data: [DONE]\n\n";
/** The first half of "ü". */
const HALF = new Uint8Array([0xc3]);

/** @param timeoutMs of the call: short only where what is told is that it ran out */
async function ask(stream: boolean, given: Uint8Array, end: typeof ending = "close", timeoutMs = 20_000) {
  bytes = join(head(stream ? "text/event-stream" : "application/json"), given);
  ending = end;
  const deltas: Delta[] = [];
  const candidate = {
    provider: "p",
    model: "m",
    format: "openai.chat" as const,
    baseUrl: `http://127.0.0.1:${server.port}`,
    keyReference: undefined,
    headers: {},
  };
  const signal = new AbortController().signal;
  try {
    const { answer } = await callChat(
      { format: "openai.chat", body: { messages: [], stream }, candidates: [candidate], timeoutMs },
      { env: {}, fetch, now: Date.now, onDelta: (delta) => deltas.push(delta), signal },
    );
    return { text: answer.parts.map((part) => (part.type === "text" ? part.text : "")).join("") };
  } catch (error) {
    if (!(error instanceof ChatFailure)) throw error;
    return { code: error.failure.code, why: error.failure.message };
  }
}

for (const [what, given, why] of [
  ["cut in the middle of an event", join(piece("half"), 'data: {"choi'), "before the answer was complete"],
  ["cut in the middle of a character", join(piece("half"), "data: ", HALF), "before the answer was complete"],
  [
    "half a character followed by others",
    join('data: {"x":"', HALF, '"}\n\n', FINISH, DONE),
    "not valid UTF-8",
  ],
  [
    "an error in the stream",
    join(piece("half"), 'data: {"error":{"message":"overloaded"}}\n\n'),
    "overloaded",
  ],
  ["an error without words", join('data: {"error":"no"}\n\n'), "the provider reported"],
  [
    "an event that is no JSON",
    join(piece("one"), "data: {broken\n\n", piece("three"), FINISH, DONE),
    "not a JSON object",
  ],
  ["an event that is no object", join("data: 5\n\n", FINISH, DONE), "not a JSON object"],
  ["a page instead of a stream", join("<html>\n\n<body>\n\n"), "before the answer was complete"],
  ["an end without an answer", join(DONE), "before the answer was complete"],
  ["nothing", join(""), "before the answer was complete"],
] as const) {
  test(`a stream that is ${what} is no answer`, async () => {
    const { code, why: said } = await ask(true, given);
    expect([code, said]).toEqual(["unavailable", expect.stringContaining(why)]);
  });
}

for (const [what, given, why] of [
  ["an error with status 200", '{"error":{"message":"no capacity"}}', "no capacity"],
  ["a list", "[]", "not a JSON object"],
  ["null", "null", "not a JSON object"],
  ["half a character", join('{"choices":[{"message":{"content":"', HALF, '"}}]}'), "not valid UTF-8"],
  ["half an answer", '{"choices":[', "not a JSON object"],
] as const) {
  test(`an answer that is ${what} is no answer`, async () => {
    const { code, why: said } = await ask(false, join(given));
    expect([code, said]).toEqual(["unavailable", expect.stringContaining(why)]);
  });
}

test("a provider that falls silent is given up at the call's time", async () => {
  expect(await ask(true, join(piece("half")), "stall", 400)).toMatchObject({ code: "execution_timeout" });
  expect(await ask(false, join('{"choices":'), "stall", 400)).toMatchObject({ code: "execution_timeout" });
  const told = join(piece("half"), 'data: {"error":{"message":"overloaded"}}\n\n');
  expect(await ask(true, told, "stall")).toMatchObject({ code: "unavailable" });
});

test("a whole answer is one, whatever becomes of the connection behind it", async () => {
  const whole = join(piece("who"), ": comment\n\n", piece("le ü"), FINISH, DONE);
  for (const end of ["close", "stall"] as const)
    expect(await ask(true, whole, end)).toEqual({ text: "whole ü" });
});
