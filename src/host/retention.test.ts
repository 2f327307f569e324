import { expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostWithRunner } from "../../test/support/host.ts";
import { documentOf, startDocument } from "../../test/support/orchestrator.ts";
import { Failure } from "../base/errors.ts";
import type { Json, JsonObject } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import { callOperation, service } from "../service/index.ts";
import { findRun, noteOrphans, noteUpload, pendingRemovals } from "../store/index.ts";
import type { Host } from "./index.ts";

/** A run whose one command writes a file and a line; `limits` is what its task asks for. */
async function run(
  host: Host,
  runId: string,
  limits: Record<string, Json>,
  text = runId,
  lightFlow: JsonObject = {},
): Promise<void> {
  const document = documentOf([
    {
      work: {
        run: { shell: { command: `printf ${text} > out.txt; echo said-${text}` } },
        metadata: { lightFlow, lightWorkflow: { artifacts: [{ path: "out.txt" }], security: { limits } } },
      },
    },
  ]);
  await startDocument(host.context.orchestration!, runId, document);
  const ended = () => host.context.views.read(findRun, { tenantId: "default", runId }).finished_at !== null;
  while (!ended()) await Bun.sleep(5);
}

/** The operations as a caller on this host has them. */
const operationsOf = ({ context }: Host) => ({
  list: async (input: object = {}) =>
    (await callOperation(service.listArtifactReferences, context, input)).artifacts,
  show: (sha256: string) => callOperation(service.showArtifact, context, { sha256 }),
  read: (sha256: string) => callOperation(service.readArtifact, context, { sha256 }),
  gc: (dryRun = false) => callOperation(service.collectArtifacts, context, { dry_run: dryRun }),
  hold: (input: object) => callOperation(service.holdArtifact, context, { reason: "case 1", ...input }),
  release: (hold_id: string) =>
    callOperation(service.releaseArtifact, context, { hold_id, reason: "closed" }),
  prune: () => callOperation(service.pruneRuns, context, { keep: 0, apply: true }),
  logs: async (run_id: string) => {
    const { chunks } = await callOperation(service.getLogs, context, { run_id });
    return chunks.map(({ data }) => Buffer.from(data, "base64").toString()).join("");
  },
  audit: async () => (await callOperation(service.tailAudit, context, {})).entries as object[],
});

const refusal = (work: Promise<unknown>): Promise<Failure> =>
  work.then(
    () => {
      throw new Error("it was not refused");
    },
    (error) => {
      if (!(error instanceof Failure)) throw error;
      return error;
    },
  );

test("what a run hands over and writes is kept as long as its policy says, and what is known of it stays", async () => {
  const { host } = await hostWithRunner();
  const { list, show, read, gc, logs } = operationsOf(host);
  await run(host, "kept", {});
  await run(host, "short", { artifactRetentionMs: 1, logRetentionMs: 86_400_000 });
  const references = await list({ run_id: "short" });
  expect(references.map(({ kind, name }) => [kind, name])).toContainEqual(["log", "stdout"]);
  const artifact = references.find(({ kind }) => kind === "artifact")!;
  expect(artifact).toMatchObject({ run_id: "short", step_id: "work", attempt: 1, expired_at: null });
  expect(Date.parse(artifact.expires_at!) - Date.parse(artifact.created_at)).toBe(1);
  expect(artifact.policy_digest).toStartWith("sha256:");
  const [kept] = await list({ run_id: "kept", kind: "artifact" });
  expect(kept).toMatchObject({ expires_at: null });

  // By its time alone, before anything was swept.
  await Bun.sleep(2);
  const { sha256 } = artifact;
  const refused = await refusal(read(sha256));
  expect(refused).toMatchObject({ code: "artifact_expired", status: 410 });
  expect(refused.details).toMatchObject({
    expired_at: artifact.expires_at!,
    policy_digest: artifact.policy_digest!,
  });
  const path = host.context.artifacts.path(sha256);
  expect(await gc(true)).toMatchObject({
    dry_run: true,
    expired: 1,
    removed: 1,
    freed_bytes: 5,
    references: [{ sha256, run_id: "short", removes_bytes: true }],
  });
  expect(existsSync(path)).toBe(true);
  expect(await gc()).toMatchObject({ dry_run: false, expired: 1, removed: 1, freed_bytes: 5 });
  expect(existsSync(path)).toBe(false);
  expect(await gc()).toMatchObject({ expired: 0, removed: 0 });
  expect(await show(sha256)).toMatchObject({ sha256, size: 5, state: "expired" });
  expect(await refusal(read(sha256))).toMatchObject({ code: "artifact_expired" });
  expect(await logs("short")).toBe("said-short\n");
  expect(Buffer.from((await read(kept!.sha256)).data).toString()).toBe("kept");
});

test("logs have a class of their own: the whole log and the spooled output go together, and it is said", async () => {
  const { host } = await hostWithRunner();
  const { list, gc, logs, read } = operationsOf(host);
  await run(host, "quiet", { logRetentionMs: 1 });
  await Bun.sleep(2);
  const [log] = await list({ run_id: "quiet", kind: "log" });
  const [artifact] = await list({ run_id: "quiet", kind: "artifact" });
  expect(await gc()).toMatchObject({ expired: 1, removed: 1 });
  expect(await refusal(logs("quiet"))).toMatchObject({ code: "artifact_expired", status: 410 });
  expect(await refusal(read(log!.sha256))).toMatchObject({ code: "artifact_expired" });
  expect((await read(artifact!.sha256)).data).toBe("quiet");
  const spooled = new Bun.Glob("*/stdout").scanSync(join(host.context.stateDirectory, "spool"));
  expect([...spooled]).toEqual([]);
});

test("bytes that another reference still needs stay, and go with the last one", async () => {
  const { host } = await hostWithRunner();
  const { list, gc, read } = operationsOf(host);
  await run(host, "one", { artifactRetentionMs: 1 }, "same");
  await run(host, "two", { artifactRetentionMs: 600_000 }, "same");
  const [one] = await list({ run_id: "one", kind: "artifact" });
  await Bun.sleep(2);
  expect(await gc(true)).toMatchObject({ expired: 1, removed: 0, references: [{ removes_bytes: false }] });
  expect(await gc()).toMatchObject({ expired: 1, removed: 0 });
  expect((await read(one!.sha256)).data).toBe("same");
  expect((await list({ run_id: "one", kind: "artifact" }))[0]!.expired_at).not.toBeNull();
  expect(await operationsOf(host).prune()).toMatchObject({ removed: 2, artifacts: 2 });
  expect(await refusal(read(one!.sha256))).toMatchObject({ code: "artifact_not_found" });
  expect(host.context.artifacts.has(one!.sha256)).toBe(false);
});

test("a legal hold on a run stops retention, pruning and compaction until the last hold is released, and is audited", async () => {
  const { host } = await hostWithRunner();
  const { list, gc, hold, release, prune, read, audit, logs } = operationsOf(host);
  await run(host, "held", { artifactRetentionMs: 1, logRetentionMs: 1 });
  const first = await hold({ run_id: "held" });
  const [artifact] = await list({ run_id: "held", kind: "artifact" });
  const second = await hold({ sha256: artifact!.sha256, reason: "case 2" });
  expect(first).toMatchObject({ kind: "run", run_id: "held", reason: "case 1", released_at: null });
  await Bun.sleep(2);
  const keepsAll = async () => {
    expect(await gc(true)).toMatchObject({ expired: 0 });
    expect(await gc()).toMatchObject({ expired: 0, removed: 0 });
    expect((await read(artifact!.sha256)).data).toBe("held");
  };
  await keepsAll();
  expect(await logs("held")).toBe("said-held\n");
  expect(await prune()).toMatchObject({ removed: 0, runs: [], held: ["held"] });
  const compact = await callOperation(service.compactStore, host.context, { older_than_days: 0 });
  expect(compact).toEqual({ moved: 0, bytes: 0 });
  const shown = await operationsOf(host).show(artifact!.sha256);
  expect(shown.holds.map(({ hold_id }) => hold_id).sort()).toEqual([first.hold_id, second.hold_id].sort());

  await release(first.hold_id);
  expect(await gc()).toMatchObject({ expired: 1 });
  expect((await read(artifact!.sha256)).data).toBe("held");
  expect(await prune()).toMatchObject({ removed: 0, held: ["held"] });
  await release(second.hold_id);
  expect(await refusal(release(second.hold_id))).toMatchObject({ code: "conflict" });
  expect(await refusal(read(artifact!.sha256))).toMatchObject({ code: "artifact_expired" });
  expect(await gc()).toMatchObject({ expired: 1, removed: 1 });
  expect(await refusal(hold({ sha256: artifact!.sha256 }))).toMatchObject({ code: "artifact_expired" });
  expect(await prune()).toMatchObject({ removed: 1 });
  const entries = (await audit()) as { action: string; actor: string; body: Record<string, Json> }[];
  const ofHolds = entries.filter(({ action }) => action.startsWith("hold."));
  expect(ofHolds.map(({ action, body }) => [action, body["reason"]])).toEqual([
    ["hold.placed", "case 1"],
    ["hold.placed", "case 2"],
    ["hold.released", "closed"],
    ["hold.released", "closed"],
  ]);
  expect(entries.filter(({ action }) => action === "artifact.expired")).toHaveLength(2);
});

test("bytes that came while a task was running that still runs stay until it has ended: it may be about to name them", async () => {
  const { host } = await hostWithRunner();
  const { gc } = operationsOf(host);
  const gate = join(host.context.stateDirectory, "gate");
  const running = run(host, "running", {}, `x; while [ ! -e ${gate} ]; do sleep 0.02; done; printf y`);
  const isRunning = () =>
    host.context.views.read((tx) => tx.get("SELECT 1 FROM lease WHERE state = 'started'"), null);
  while (isRunning() === undefined) await Bun.sleep(5);
  await callOperation(service.publishPolicy, host.context, {
    layer: "tenant",
    policy: { limits: { artifactRetentionMs: 1 } },
  });
  writeFileSync(join(host.context.stateDirectory, "in.txt"), "in");
  const local = { ...host.context, trustsPaths: true };
  const path = join(host.context.stateDirectory, "in.txt");
  const { sha256 } = await callOperation(service.putArtifact, local, { path });
  await Bun.sleep(2);
  expect(await gc()).toMatchObject({ expired: 1, removed: 0 });
  expect(host.context.artifacts.has(sha256)).toBe(true);
  writeFileSync(gate, "");
  await running;
  expect(await gc()).toMatchObject({ expired: 0, removed: 1 });
  expect(host.context.artifacts.has(sha256)).toBe(false);
});

test("a run that takes a kept output over has a reference of its own, and an output whose bytes are over is made again", async () => {
  const { host } = await hostWithRunner();
  const { list, read } = operationsOf(host);
  const lightFlow = { cache: true };
  const kinds = async (run_id: string) => (await list({ run_id })).map(({ kind }) => kind).toSorted();
  const day = { artifactRetentionMs: 86_400_000 };
  await run(host, "made", day, "same", lightFlow);
  await run(host, "taken", day, "same", lightFlow);
  expect(await kinds("made")).toEqual(["artifact", "log"]);
  expect(await kinds("taken")).toEqual(["reused"]);
  const [taken] = await list({ run_id: "taken" });
  expect(taken).toMatchObject({ step_id: "work", attempt: null });
  expect(Date.parse(taken!.expires_at!) - Date.parse(taken!.created_at)).toBe(86_400_000);
  await callOperation(service.pruneStepCache, host.context, {});
  const pruned = await callOperation(service.pruneRuns, host.context, { keep: 1, apply: true });
  expect(pruned.runs).toEqual(["made"]);
  expect((await read(taken!.sha256)).data).toBe("same");

  await run(host, "short", { artifactRetentionMs: 1 }, "other", lightFlow);
  await Bun.sleep(2);
  await run(host, "again", { artifactRetentionMs: 1 }, "other", lightFlow);
  expect(await kinds("again")).toEqual(["artifact", "log"]);
});

test("an audit export, and what a kept output names of a run that was pruned, are no bytes that nothing names", async () => {
  const { host } = await hostWithRunner();
  const { artifacts, records, views, clock } = host.context;
  const look = (now: number) =>
    noteOrphans(
      {
        store: { read: views.read.bind(views), write: records.write.bind(records) },
        artifacts,
        now,
      },
      "",
      1000,
    );
  await look(1);
  await run(host, "made", {}, "kept", { cache: true });
  const { list, prune } = operationsOf(host);
  const [kept] = (await list({ kind: "artifact" })).map(({ sha256 }) => sha256);
  expect(await prune()).toMatchObject({ removed: 1 });
  expect(await list()).toEqual([]);
  const { artifact } = await callOperation(service.exportAudit, host.context, {});
  const orphan = await artifacts.put(Buffer.from("nobody's"));
  await look(clock.wall() + 2 * LIMITS.uploadMs);
  const noted = views.read(pendingRemovals, { after: null, limit: 100 }).map(({ target }) => target);
  expect(noted).toContain(orphan.sha256);
  expect(noted).not.toContain(artifact);
  expect(noted).not.toContain(kept!);
  expect(artifacts.has(kept!)).toBe(true);
});

test("a list goes on where its page ended, also between references that were made at once", async () => {
  const { host } = await hostWithRunner();
  for (const name of ["one", "two"]) await run(host, name, {});
  const page = (cursor?: string) =>
    callOperation(service.listArtifactReferences, host.context, {
      limit: 1,
      ...(cursor === undefined ? {} : { cursor }),
    });
  const seen: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const { artifacts, cursor: next } = await page(cursor);
    seen.push(...artifacts.map(({ run_id, name }) => `${run_id} ${name}`));
    if (next === null) break;
    cursor = next;
  }
  expect(seen.toSorted()).toEqual(["one out.txt", "one stdout", "two out.txt", "two stdout"]);
});

test("a task that asks to keep longer than its policy allows is refused with the field", async () => {
  const { host } = await hostWithRunner();
  await callOperation(service.publishPolicy, host.context, {
    layer: "tenant",
    policy: { limits: { artifactRetentionMs: 1000 } },
  });
  const refused = await refusal(run(host, "long", { artifactRetentionMs: 2000 }));
  expect(refused).toMatchObject({ code: "execution_policy_denied" });
  expect(refused.message + JSON.stringify(refused.details)).toContain("limits.artifactRetentionMs");
  // What says nothing gets what policy says.
  await run(host, "default", {});
  const [artifact] = await operationsOf(host).list({ run_id: "default", kind: "artifact" });
  expect(Date.parse(artifact!.expires_at!) - Date.parse(artifact!.created_at)).toBe(1000);
});

test("only an operator places or releases a hold, and another tenant's bytes are not there for it", async () => {
  const { host } = await hostWithRunner();
  await run(host, "mine", {});
  const [artifact] = await operationsOf(host).list({ run_id: "mine", kind: "artifact" });
  for (const name of ["holdArtifact", "releaseArtifact", "collectArtifacts", "discardQuarantine"] as const)
    expect(service[name].scope).toBe("admin");
  const other = { ...host.context, tenantId: "other" };
  const held = callOperation(service.holdArtifact, other, { sha256: artifact!.sha256, reason: "x" });
  expect(await refusal(held)).toMatchObject({ code: "artifact_not_found" });
  const run_ = callOperation(service.holdArtifact, other, { run_id: "mine", reason: "x" });
  expect(await refusal(run_)).toMatchObject({ code: "not_found" });
  expect(await callOperation(service.listArtifactReferences, other, {})).toMatchObject({ artifacts: [] });
});

test("what is collected is counted for the caller's tenant alone, also where another has the same bytes", async () => {
  const { host } = await hostWithRunner();
  const other = { ...host.context, tenantId: "other" };
  const collect = (context: typeof other, dry_run = false) =>
    callOperation(service.collectArtifacts, context, { dry_run });
  await run(host, "mine", { artifactRetentionMs: 1, logRetentionMs: 1 }, "shared");
  const [artifact] = await operationsOf(host).list({ run_id: "mine", kind: "artifact" });
  await host.context.records.write(noteUpload, {
    tenantId: "other",
    sha256: artifact!.sha256,
    size: artifact!.size,
    media_type: "text/plain",
    name: "copy",
    source: null,
    actor: "token:other",
    now: Date.now(),
    retentionMs: 600_000,
  });
  await Bun.sleep(2);
  expect(await collect(other, true)).toMatchObject({ expired: 0, removed: 0, freed_bytes: 0 });
  // Nobody is told that somebody else needs the bytes.
  const told = { expired: 2, removed: 2 };
  expect(await collect(host.context, true)).toMatchObject(told);
  const others = await collect(other);
  expect(others).toMatchObject({ expired: 0, removed: 0, freed_bytes: 0, quarantined: 0 });
  await run(host, "again", { artifactRetentionMs: 1, logRetentionMs: 1 }, "shared");
  await Bun.sleep(2);
  expect(await collect(host.context)).toMatchObject({ ...told, freed_bytes: artifact!.size + 12 });
  const { data } = await callOperation(service.readArtifact, other, { sha256: artifact!.sha256 });
  expect(data).toBe("shared");
});
