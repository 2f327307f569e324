import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { denyPrivate } from "../destination/policy.ts";
import { testContext } from "../testing/context.ts";
import { createResourceReader } from "./reader.ts";

const directory = mkdtempSync(join(tmpdir(), "lightflow-resource-"));
mkdirSync(join(directory, "app"));
writeFileSync(join(directory, "app", "greet.proto"), "proto");
symlinkSync("/etc/hostname", join(directory, "app", "out"));
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request) =>
    new URL(request.url).pathname === "/missing"
      ? new Response("", { status: 404 })
      : new Response(request.headers.get("authorization") ?? "open"),
});
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await server.stop(true);
});

const at = (path: string) => `http://127.0.0.1:${server.port}${path}`;
const text = async (bytes: Promise<Uint8Array>) => new TextDecoder().decode(await bytes);

test("resources are read over HTTP, with their own authentication, behind the policy", async () => {
  const read = createResourceReader(testContext(), { timeoutMs: 5000 });
  expect(await text(read(at("/a")))).toBe("open");
  const authentication = { bearer: { token: "t" } };
  expect(await text(read({ uri: at("/a"), authentication }))).toBe("Bearer t");
  await expect(read(at("/missing"))).rejects.toMatchObject({ type: "communication", status: 404 });
  const closed = createResourceReader(testContext({ policy: denyPrivate }), { timeoutMs: 5000 });
  await expect(closed(at("/a"))).rejects.toMatchObject({ type: "authorization" });
});

test("files are read below one directory, and nowhere without one", async () => {
  const files = { base: directory, within: directory };
  const read = createResourceReader(testContext(), { files, timeoutMs: 5000 });
  expect(await text(read("file://app/greet.proto"))).toBe("proto");
  expect(await text(read(`file://${directory}/app/greet.proto`))).toBe("proto");
  for (const uri of [
    "file:///etc/hostname",
    "file://../../etc/hostname",
    "file://app/out",
    "file://app/%2e%2e/%2e%2e/%2e%2e/etc/hostname",
    "file://app/missing",
    "file://app",
  ])
    await expect(read(uri)).rejects.toMatchObject({ type: "configuration" });
  const none = createResourceReader(testContext(), { timeoutMs: 5000 });
  await expect(none("file://app/greet.proto")).rejects.toMatchObject({ type: "authorization" });
});
