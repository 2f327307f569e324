import { expect, test } from "bun:test";
import { digestOf, sha256 } from "../../src/base/canonical.ts";
import type { JsonObject } from "../../src/base/json.ts";
import { noteUpload } from "../../src/store/index.ts";
import { type Plane, plane, result, runner, send, shell } from "../support/control-plane.ts";

const referenceTo = (bytes: Buffer) => ({
  name: "made",
  sha256: sha256(bytes),
  size: bytes.length,
  mediaType: "text/plain",
  uri: `artifact://sha256/${sha256(bytes)}`,
});

/** Bytes that a tenant handed in. */
async function handedIn(p: Plane, tenantId: string, text: string): Promise<Buffer> {
  const bytes = Buffer.from(text);
  const stored = await p.artifacts.put(bytes);
  const about = { media_type: "text/plain", name: null, actor: "a", now: p.clock.wall(), retentionMs: null };
  await p.store.write(noteUpload, { tenantId, ...stored, ...about });
  return bytes;
}

test("SR-12.3: whoever knows a digest and a size gets no other tenant's bytes for it, and is not told that they are here", async () => {
  const p = await plane();
  const secret = await handedIn(p, "other", "what another tenant made");
  const own = await handedIn(p, "default", "what this tenant handed in");
  await p.start("thief", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  await r.started(lease);
  const { claimToken } = r.session;
  const path = (bytes: Buffer, more = "") =>
    `/runner/task/${lease.leaseId}/artifact/${sha256(bytes)}?attempt=1&fencingToken=1${more}`;
  const received = async (bytes: Buffer) =>
    (await send(p.controller, "GET", path(bytes, "&received=1"), undefined, claimToken)).body["offset"];
  const put = (bytes: Buffer, body: Buffer, offset: number) =>
    send(p.controller, "PUT", path(bytes, `&size=${bytes.length}&offset=${offset}`), body, claimToken);
  const complete = (given: Parameters<typeof result>[1]) => r.task(lease, "complete", result(lease, given));

  expect(await received(own)).toBe(own.length);
  expect(await received(secret)).toBe(0);
  expect(await received(Buffer.from("what nobody has"))).toBe(0);
  // An upload that has nothing to bring, and one that goes on where it never began.
  expect((await put(secret, Buffer.alloc(0), 0)).status).toBe(503);
  expect((await put(secret, secret.subarray(secret.length), secret.length)).status).toBe(409);
  expect((await put(own, Buffer.alloc(0), 0)).status).toBe(200);
  const refused = await complete({ artifactRefs: [referenceTo(secret)] });
  expect(refused).toMatchObject({ status: 422, body: { code: "artifact_digest_mismatch" } });
  const nobody = await complete({ artifactRefs: [referenceTo(Buffer.from("what nobody has"))] });
  expect(nobody).toMatchObject({ status: 422, body: { code: "artifact_digest_mismatch" } });

  // Who has the bytes may name them, and so may whoever's tenant does.
  const same = Buffer.from("what both tenants made");
  await handedIn(p, "other", same.toString());
  expect((await put(same, same, 0)).status).toBe(200);
  expect(await received(same)).toBe(same.length);
  const artifactRefs = [referenceTo(own), { ...referenceTo(same), name: "same" }];
  const log = `artifact://sha256/${sha256(secret)}`;
  expect((await complete({ artifactRefs, stdoutRef: log })).status).toBe(200);
  await p.until("thief", "completed");
  const mine = p.store.read((tx) => tx.all("SELECT sha256 FROM artifact WHERE tenant_id = 'default'"), null);
  expect(mine).toEqual(expect.arrayContaining([{ sha256: sha256(own) }, { sha256: sha256(same) }]));
  expect(mine).not.toContainEqual({ sha256: sha256(secret) });
});

test("an output that only looks like a command's record gives a repeated run no reference to the bytes that it names", async () => {
  const p = await plane();
  const secret = await handedIn(p, "other", "what another tenant made");
  const document: JsonObject = {
    document: { dsl: "1.0.3", namespace: "t", name: "t", version: "1.0.0" },
    do: [{ work: shell() }],
  };
  const again = async (runId: string, record: boolean) => {
    await p.orchestrator.start({
      ...{ tenantId: "default", runId, idempotent: false, sourceEventId: null, workflow: "t", assetId: null },
      ...{ document, digest: digestOf(document), input: {} },
      options: { cache: "off", reuses: true, origin: { run_id: "before", how: "retry" } },
      reuse: [{ reference: "/do/0/work", output: { artifacts: [referenceTo(secret)] }, record }],
    });
    await p.until(runId, "completed");
    return p.store.read((tx) => tx.all("SELECT sha256 FROM artifact WHERE tenant_id = 'default'"), null);
  };
  // What a server answered, a model said or a program printed.
  expect(await again("forged", false)).toEqual([]);
  // What the orchestrator itself wrote down of a result whose artifacts were looked at.
  expect(await again("recorded", true)).toEqual([{ sha256: sha256(secret) }]);
});
