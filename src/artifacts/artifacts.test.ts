import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from "node:fs";
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
  const { sha256 } = results[0]!;
  const removal = artifacts.beginRemoval(sha256)!;
  expect(removal.size).toBe(data.length);
  await artifacts.endRemoval(sha256, removal, "remove");
  expect(artifacts.beginRemoval(sha256)).toBeNull();
  expect(() => artifacts.open(sha256)).toThrow("no artifact");
});

test("bytes that are being removed are read until they are gone, and come back when they are kept or stored anew", async () => {
  const bytes = Buffer.from("wanted again");
  const { sha256: digest } = await artifacts.put(bytes);
  const first = artifacts.beginRemoval(digest)!;
  expect(await artifacts.open(digest).text()).toBe("wanted again");
  // Whoever names them has to store them again.
  expect(artifacts.keep(digest)).toBeNull();
  await artifacts.append(bytes, { key: "k", sha256: digest, size: bytes.length, offset: 0, mayKnow: true });
  await artifacts.endRemoval(digest, first, "remove");
  expect(readFileSync(artifacts.path(digest)).equals(bytes)).toBe(true);
  // What another process took away since is not the first one's to remove.
  const second = artifacts.beginRemoval(digest)!;
  await artifacts.put(bytes);
  const third = openArtifacts(directory).beginRemoval(digest)!;
  await artifacts.endRemoval(digest, second, "remove");
  expect(artifacts.has(digest)).toBe(true);
  await artifacts.endRemoval(digest, third, "keep");
  expect(artifacts.keep(digest)).toEqual({ sha256: digest, size: bytes.length });
});

test("keeping and storing bytes leave the time at which they were wanted", async () => {
  const { sha256: digest } = await artifacts.put(Buffer.from("touched"));
  utimesSync(artifacts.path(digest), 1, 1);
  const before = Date.now();
  artifacts.keep(digest);
  expect(artifacts.beginRemoval(digest)!.touchedAt).toBeGreaterThanOrEqual(before);
});
