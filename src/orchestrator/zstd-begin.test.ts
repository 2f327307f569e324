import { expect, test } from "bun:test";
import { zstdCompressSync } from "node:zlib";
import { zstdBegin } from "./zstd-begin.ts";

const begin = (bytes: Uint8Array, limit: number) =>
  zstdBegin(new Blob([Uint8Array.from(bytes)]).stream(), limit);

test("the beginning of a frame is read to its limit, at a character border, however much it would expand to", async () => {
  expect(await begin(zstdCompressSync(Buffer.from("héllo\n")), 100)).toBe("héllo\n");
  expect(await begin(zstdCompressSync(Buffer.from("héllo\n")), 2)).toBe("h");
  const bomb = zstdCompressSync(Buffer.alloc(256 << 20));
  expect((await begin(bomb, 1000)).length).toBe(1000);
});

test("what is damaged or no frame gives what can be read of it, and no error", async () => {
  expect(await begin(Buffer.from("plain text"), 100)).toBe("");
  const whole = zstdCompressSync(Buffer.from("x".repeat(1000)));
  expect(typeof (await begin(whole.subarray(0, 12), 100))).toBe("string");
});
