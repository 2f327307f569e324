import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Artifacts, openArtifacts } from "./artifacts.ts";

let directory: string;
let artifacts: Artifacts;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "append "));
  artifacts = openArtifacts(directory);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const bytes = crypto.getRandomValues(new Uint8Array(50_000));
const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
const upload = (offset: number, key = "lease") => ({
  key,
  sha256,
  size: bytes.length,
  offset,
  mayKnow: true,
});
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error) => (error as { code: string }).code,
  );

/** Bytes that come until the connection breaks. */
async function* broken(part: Uint8Array): AsyncGenerator<Uint8Array> {
  yield part;
  throw new Error("the connection broke");
}

test("an upload that broke goes on where it stopped, in another process too, and is whole only with its last byte", async () => {
  expect(artifacts.received(upload(0))).toBe(0);
  await expect(artifacts.append(broken(bytes.subarray(0, 20_000)), upload(0))).rejects.toThrow("broke");
  expect(artifacts.has(sha256)).toBe(false);
  const again = openArtifacts(directory);
  expect(again.received(upload(0))).toBe(20_000);
  expect(await codeOf(again.append(bytes.subarray(20_000, 30_000), upload(20_000)))).toBe("unavailable");
  expect(again.received(upload(0))).toBe(30_000);
  // A sender that knows less than the receiver begins earlier; nothing is doubled.
  expect(await again.append(bytes.subarray(25_000), upload(25_000))).toEqual({ sha256, size: bytes.length });
  expect(readFileSync(artifacts.path(sha256)).equals(bytes)).toBe(true);
  expect([again.brought(upload(0)), again.brought(upload(0, "other"))]).toEqual([true, false]);
  again.forgetBrought(upload(0));
  expect(readdirSync(join(directory, "temporary"))).toEqual([]);
  // A repeat of what is complete is a success, from whatever offset.
  expect(await artifacts.append(new Uint8Array(), upload(bytes.length))).toEqual({
    sha256,
    size: bytes.length,
  });
});

test("a gap, too many bytes and a second writer are refused; uploads of two leases are two", async () => {
  expect(await codeOf(artifacts.append(bytes.subarray(10), upload(10)))).toBe("conflict");
  const more = new Uint8Array(bytes.length + 1);
  expect(await codeOf(artifacts.append(more, upload(0)))).toBe("payload_too_large");
  const gate = Promise.withResolvers<void>();
  async function* slow() {
    yield bytes.subarray(0, 5);
    await gate.promise;
    yield bytes.subarray(5);
  }
  const first = artifacts.append(slow(), upload(0));
  await Bun.sleep(5);
  expect(await codeOf(artifacts.append(bytes, upload(0)))).toBe("unavailable");
  expect(await codeOf(artifacts.append(bytes.subarray(0, 9), upload(0, "other")))).toBe("unavailable");
  expect(artifacts.received(upload(0, "other"))).toBe(9);
  gate.resolve();
  expect((await first).size).toBe(bytes.length);
});

test("F56: bytes that are not what was announced are set aside, never an artifact, and the next try begins anew", async () => {
  const changed = Uint8Array.from(bytes);
  changed[7]! ^= 1;
  expect(await codeOf(artifacts.append(changed, upload(0)))).toBe("artifact_digest_mismatch");
  expect(artifacts.has(sha256)).toBe(false);
  const [aside] = readdirSync(join(directory, "quarantine"));
  expect(aside).toStartWith(sha256);
  expect(readFileSync(join(directory, "quarantine", aside!)).equals(changed)).toBe(true);
  expect(artifacts.received(upload(0))).toBe(0);
  expect((await artifacts.append(bytes, upload(0))).sha256).toBe(sha256);
});
