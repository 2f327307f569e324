import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "../base/canonical.ts";
import { openArtifacts } from "./artifacts.ts";

const directory = mkdtempSync(join(tmpdir(), "artifacts "));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const artifacts = openArtifacts(directory);

const parts = async function* (...texts: string[]) {
  for (const text of texts) yield Buffer.from(text);
};

test("bytes are found again under their digest, whole and by range", async () => {
  const stored = await artifacts.put(parts("hello ", "world"));
  expect(stored).toEqual({ sha256: sha256("hello world"), size: 11 });
  expect(artifacts.stat(stored.sha256)).toEqual(stored);
  expect(await artifacts.open(stored.sha256).text()).toBe("hello world");
  expect(await artifacts.open(stored.sha256, { start: 6, end: 9 }).text()).toBe("wor");
  expect(await artifacts.open(stored.sha256, { start: 6 }).text()).toBe("world");
});

test("every kind of source gives the same artifact, and a repeat is a success", async () => {
  const bytes = Buffer.from("same");
  const expected = { sha256: sha256("same"), size: 4 };
  for (const source of [bytes, new Blob([bytes]), new Blob([bytes]).stream(), parts("sa", "me")]) {
    expect(await artifacts.put(source as Blob, expected.sha256)).toEqual(expected);
  }
});

test("bytes that do not match the announced digest or the limit leave nothing behind", async () => {
  const wrong = sha256("something else");
  expect(artifacts.put(Buffer.from("x"), wrong)).rejects.toMatchObject({ code: "artifact_digest_mismatch" });
  expect(artifacts.put(parts("12345", "67890"), undefined, 8)).rejects.toMatchObject({
    code: "payload_too_large",
  });
  const broken = (async function* () {
    yield Buffer.from("half");
    throw new Error("the peer went away");
  })();
  expect(artifacts.put(broken)).rejects.toThrow("the peer went away");
  await Bun.sleep(50);
  expect(artifacts.has(wrong)).toBe(false);
  expect(artifacts.has(sha256("half"))).toBe(false);
  expect(readdirSync(join(directory, "temporary"))).toEqual([]);
});

test("no text but 64 hex digits becomes a file name", () => {
  for (const name of ["", "../../etc/passwd", "A".repeat(64), `${"a".repeat(63)}/`, "a".repeat(65)]) {
    expect(() => artifacts.path(name)).toThrow("64 hex digits");
    expect(() => artifacts.open(name)).toThrow("64 hex digits");
  }
});

test("two writers of the same bytes at once both succeed", async () => {
  const data = new Uint8Array(1_000_000).fill(7);
  const results = await Promise.all([artifacts.put(data), openArtifacts(directory).put(data)]);
  expect(results[0]).toEqual(results[1]!);
  expect(artifacts.remove(results[0]!.sha256)).toBe(true);
  expect(artifacts.remove(results[0]!.sha256)).toBe(false);
  expect(() => artifacts.open(results[0]!.sha256)).toThrow("no artifact");
});
