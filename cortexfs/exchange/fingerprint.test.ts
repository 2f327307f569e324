import { expect, test } from "bun:test";
import { fingerprint } from "./fingerprint.ts";

/** The definition, with BigInt. */
function slow(bytes: Uint8Array): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return `fnv1a64:${hash.toString(16).padStart(16, "0")}`;
}

test("the fingerprint is FNV-1a 64 over format, NUL, id, NUL, body", () => {
  for (const body of ["", "a", '{"messages":[]}', "ü€".repeat(500), "\0\xff".repeat(999)]) {
    const bytes = Buffer.from(body);
    const whole = Buffer.concat([Buffer.from("openai.chat\0step-1\0"), bytes]);
    expect(fingerprint("openai.chat", "step-1", bytes)).toBe(slow(whole));
  }
});
