import { expect, test } from "bun:test";
import { serverEvents, textLines } from "./event-stream.ts";

async function* bytes(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text);
}
const events = async (...texts: string[]) =>
  await Array.fromAsync(serverEvents(bytes(...texts), 100, "here"));

test("events are told apart whatever the ends of lines and the cuts between parts", async () => {
  const expected = [
    { event: "message", data: "a\nb" },
    { event: "x", data: " c" },
  ];
  const text = ": comment\ndata: a\ndata:b\nid: 1\n\nevent: x\ndata:  c\n\nevent: empty\n\ndata: cut off";
  for (const end of ["\n", "\r\n", "\r"]) {
    const whole = text.replaceAll("\n", end);
    expect(await events(whole)).toEqual(expected);
    expect(await events(...whole)).toEqual(expected);
  }
});

test("a character that two parts share is one character", async () => {
  const euro = Buffer.from("data: €\n\n");
  async function* halves() {
    yield euro.subarray(0, 7);
    yield euro.subarray(7);
  }
  expect(await Array.fromAsync(serverEvents(halves(), 100, "here"))).toEqual([
    { event: "message", data: "€" },
  ]);
});

test("an event or a line over the limit is refused", async () => {
  await expect(events(`data: ${"x".repeat(101)}`)).rejects.toThrow("over 100 bytes");
  const many = Array.from({ length: 20 }, () => `data: ${"x".repeat(10)}\n`);
  await expect(events(...many)).rejects.toThrow("over 100 bytes");
  await expect(Array.fromAsync(textLines(bytes("x".repeat(101)), 100, "here"))).rejects.toThrow(
    "over 100 bytes",
  );
});
