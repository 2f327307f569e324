import { fail } from "../../base/errors.ts";
import type { Io } from "../io.ts";

const [ENTER, NEWLINE, INTERRUPT, END, BACKSPACE, DELETE] = [13, 10, 3, 4, 8, 127];

/** The value of a secret: all of stdin without its last line end, or typed on a terminal that does not show it. */
export async function readSecretValue(name: string, io: Io): Promise<string> {
  if (!process.stdin.isTTY) return (await io.readInput()).replace(/\r?\n$/, "");
  io.stderr.write(`value of ${name}: `);
  process.stdin.setRawMode(true);
  const bytes: number[] = [];
  try {
    for await (const chunk of Bun.stdin.stream())
      for (const byte of chunk) {
        if (byte === INTERRUPT) throw fail("usage", "nothing was set");
        if (byte === ENTER || byte === NEWLINE || byte === END) return Buffer.from(bytes).toString("utf8");
        if (byte === BACKSPACE || byte === DELETE) bytes.pop();
        else bytes.push(byte);
      }
    return Buffer.from(bytes).toString("utf8");
  } finally {
    process.stdin.setRawMode(false);
    io.stderr.write("\n");
  }
}
