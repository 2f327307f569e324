import { expect, test } from "bun:test";
import { createPaint } from "./paint.ts";
import { tableText } from "./table-text.ts";
import { terminalText } from "./terminal-text.ts";

test("what others wrote moves no cursor, hides nothing and keeps its direction; our own styles stay", () => {
  const { bold, red } = createPaint(true);
  expect(terminalText(bold("a question"))).toBe(bold("a question"));
  expect(terminalText(`one\ttwo\r\n${red("ä 漢字 👍🏽")}\n`)).toBe(`one\ttwo\n${red("ä 漢字 👍🏽")}\n`);
  for (const [given, shown] of [
    ["publish 2.0\x1b[2K\rpublish 1.0", "publish 2.0\\u001b[2K\\u000dpublish 1.0"],
    ["\x1b]52;c;ZXZpbA==\x07", "\\u001b]52;c;ZXZpbA==\\u0007"],
    ["\x1b[8mhidden\x1b[0m", "\\u001b[8mhidden\\u001b[0m"],
    ["\x9b2J", "\\u009b2J"],
    ["gone\b\b\b\b", "gone\\u0008\\u0008\\u0008\\u0008"],
    ["a\u202egpj.exe", "a\\u202egpj.exe"],
    ["a\u2066b\u2069", "a\\u2066b\\u2069"],
  ] as const)
    expect(terminalText(given)).toBe(shown);
});

test("a cell of a table makes no row of its own", () => {
  expect(
    tableText([
      ["id", "reason"],
      ["1", "why\n2  all is well"],
    ]),
  ).toBe("id  reason\n1   why\\n2  all is well\n");
});
