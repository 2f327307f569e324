import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openArtifacts } from "../artifacts/index.ts";
import { digestOf, sha256 } from "../base/canonical.ts";
import { ManualClock } from "../base/clock.ts";
import { newId, randomToken } from "../base/ids.ts";
import type { Json, JsonObject } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import { silentLog } from "../base/log.ts";
import { type Controller, createController, handleRunner, Spool } from "../controller/index.ts";
import { advance, Definition, type EngineInput, type Instance, newInstance } from "../engine/index.ts";
import { Orchestrator } from "../orchestrator/index.ts";
import { importPublicKey, type Lease, type RegistrationAccepted, verifyLease } from "../protocol/index.ts";
import {
  enrolRunner,
  findRun,
  listAudit,
  listEvents,
  listInputs,
  listOperatorTasks,
  reapLeases,
  Store,
  verifyAudit,
} from "../store/index.ts";

const DIGEST = `sha256:${"0".repeat(64)}`;
const shell = (light: JsonObject = {}): JsonObject => ({
  run: { shell: { command: "true" } },
  metadata: { lightWorkflow: light },
});

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** Orchestrator and controller over one store, with a clock that the test moves. */
async function plane() {
  const directory = mkdtempSync(join(tmpdir(), "plane-"));
  const clock = new ManualClock();
  const store = Store.open(join(directory, "store.db"));
  const artifacts = openArtifacts(join(directory, "artifacts"));
  const spool = new Spool(join(directory, "spool"));
  const parts = { store, artifacts, spool, clock, log: silentLog };
  const controller = await createController(parts);
  const orchestrator = new Orchestrator(parts);
  closers.push(async () => {
    controller.stop();
    orchestrator.stop();
    spool.close();
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const start = (runId: string, tasks: Json[], input: Json = {}, sourceEventId: string | null = null) => {
    const document: JsonObject = {
      document: { dsl: "1.0.3", namespace: "t", name: "t", version: "1.0.0" },
      do: tasks,
    };
    return orchestrator.start({
      tenantId: "default",
      runId,
      idempotent: false,
      sourceEventId,
      workflow: "t",
      assetId: null,
      document,
      digest: digestOf(document),
      input,
    });
  };
  const run = (runId: string) => store.read(findRun, { tenantId: "default", runId });
  const until = async (runId: string, status: string) => {
    for (let tries = 0; run(runId).status !== status; tries++) {
      if (tries > 400) throw new Error(`${runId} is ${run(runId).status}, not ${status}`);
      await Bun.sleep(5);
    }
    return run(runId);
  };
  return { store, artifacts, controller, orchestrator, clock, start, run, until };
}

type Plane = Awaited<ReturnType<typeof plane>>;

async function send(
  controller: Controller,
  method: string,
  path: string,
  body: unknown,
  token: string | null,
  headers = {},
) {
  const raw = body instanceof Uint8Array;
  const response = await handleRunner(
    controller,
    new Request(`http://controller${path}`, {
      method,
      headers: {
        "lightflow-protocol": "1.0",
        "content-type": raw ? "application/octet-stream" : "application/json",
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      body: raw ? body : JSON.stringify(body),
    }),
  );
  const text = await response.text();
  return { status: response.status, body: (text === "" ? null : JSON.parse(text)) as JsonObject };
}

const identity = (runnerId: string, tenantId = "default") => ({ runnerId, tenantId, hostId: "h" });

function registration(runnerId: string, more: JsonObject = {}): JsonObject {
  return {
    messageId: newId(),
    ...identity(runnerId),
    runnerKind: "test",
    runnerPools: ["default"],
    executionProfiles: ["default"],
    capabilities: ["git"],
    binaryDigest: DIGEST,
    configHash: DIGEST,
    commandAllowlistHash: DIGEST,
    workspacePolicy: "w",
    networkZone: "z",
    secretPolicy: "none",
    modelProviderScopes: [],
    mounts: [],
    sandbox: { modes: ["none"], providers: [] },
    slots: 4,
    version: "1",
    ...more,
  };
}

async function enrol(p: Plane, runnerId: string, tenantId = "default") {
  const token = randomToken();
  await p.store.write(enrolRunner, {
    admission: {
      ...identity(runnerId, tenantId),
      runnerPools: ["default"],
      executionProfiles: ["default"],
      capabilities: ["git"],
      slots: 2,
    },
    enrolmentHash: sha256(token),
    actor: "test",
    now: p.clock.wall(),
  });
  return token;
}

/** A runner that speaks the protocol by hand, honestly or not. */
async function runner(p: Plane, runnerId = "r1", tenantId = "default") {
  const token = await enrol(p, runnerId, tenantId);
  const answer = await send(
    p.controller,
    "POST",
    "/runner/register",
    registration(runnerId, { tenantId }),
    token,
  );
  expect(answer.status).toBe(200);
  const session = answer.body as unknown as RegistrationAccepted;
  const claim = async (waitMs = 0, messageId = newId()) => {
    const body = { messageId, runnerId, sessionId: session.sessionId, freeSlots: 1, waitMs };
    const claimed = await send(p.controller, "POST", "/runner/claim", body, session.claimToken);
    return { status: claimed.status, body: claimed.body, lease: claimed.body as unknown as Lease };
  };
  const task = (lease: Lease, action: string, body: JsonObject, by = session.claimToken) =>
    send(
      p.controller,
      "POST",
      `/runner/task/${lease.leaseId}/${action}`,
      { messageId: newId(), attempt: lease.attempt, fencingToken: lease.fencingToken, ...body },
      by,
    );
  const started = (lease: Lease, more: JsonObject = {}) =>
    task(lease, "started", { nonce: lease.nonce, startedAt: "2026-01-01T00:00:00Z", ...more });
  return { token, session, claim, task, started, runnerId };
}

function result(lease: Lease, more: JsonObject = {}): JsonObject {
  return {
    taskId: lease.taskId,
    taskReference: lease.taskReference,
    runnerId: lease.runnerId,
    policyDigest: lease.policyDigest,
    status: "succeeded",
    exitCode: 0,
    signal: null,
    startedAt: "2026-01-01T00:00:00Z",
    completedAt: "2026-01-01T00:00:00Z",
    durationMs: 1,
    summary: "done",
    stdoutRef: null,
    stderrRef: null,
    artifactRefs: [],
    output: null,
    changedFiles: [],
    aiDiagnosisAllowed: false,
    retrySafety: "safe",
    sandbox: { provider: "process", boundary: "process" },
    ...more,
  };
}

const events = (p: Plane, runId: string) =>
  p.store.read(listEvents, { instanceId: p.run(runId).id, runId, after: 0, limit: 1000 });

test("a run goes through lease, start, logs and result to its end, and its history folds to its state", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell({ output: "json" }) }, { last: { set: "${ .output.n + 1 }" } }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  expect(verifyLease(lease, importPublicKey(r.session.leaseKey))).toBe(true);
  expect(lease).toMatchObject({
    taskId: "work",
    attempt: 1,
    fencingToken: 1,
    tenantId: "default",
    runnerId: "r1",
  });
  expect((await r.started(lease)).body).toMatchObject({ state: "started", directives: [] });
  const log = (seq: number, text: string, final = false) =>
    send(
      p.controller,
      "POST",
      `/runner/task/${lease.leaseId}/log?messageId=${newId()}&attempt=1&fencingToken=1&stream=stdout&seq=${seq}&final=${final}`,
      Buffer.from(text),
      r.session.claimToken,
    );
  expect((await log(0, "hello ")).body).toEqual({ nextSeq: 1 });
  expect((await log(0, "hello ")).body).toEqual({ nextSeq: 1 });
  expect((await log(2, "gap")).body).toMatchObject({ code: "log_gap", details: { nextSeq: 1 } });
  expect((await log(1, "world", true)).body).toEqual({ nextSeq: 2 });
  const bytes = Buffer.from("artifact bytes");
  const digest = sha256(bytes);
  const path = `/runner/task/${lease.leaseId}/artifact/${digest}?attempt=1&fencingToken=1`;
  expect((await send(p.controller, "PUT", path, bytes, r.session.claimToken)).body).toMatchObject({
    sha256: digest,
  });
  const reference = {
    name: "a.txt",
    sha256: digest,
    size: bytes.length,
    mediaType: "text/plain",
    uri: `artifact://sha256/${digest}`,
  };
  const done = await r.task(
    lease,
    "complete",
    result(lease, { output: { n: 41 }, artifactRefs: [reference] }),
  );
  expect(done.body).toMatchObject({ state: "accepted" });
  const row = await p.until("one", "completed");
  expect(JSON.parse(row.snapshot)).toMatchObject({ output: 42 });
  const names = events(p, "one").map(({ event }) => event);
  expect(names).toEqual([
    "run.created",
    "run.started",
    "step.started",
    "step.leased",
    "step.attempt_started",
    "step.attempt_finished",
    "step.succeeded",
    "step.started",
    "step.succeeded",
    "run.succeeded",
  ]);
  expect(events(p, "one").map(({ seq }) => seq)).toEqual(names.map((_, at) => at + 1));
  // Folding the stored inputs rebuilds the stored snapshot.
  const stored = p.store.read(listInputs, { instanceId: row.id });
  const document = JSON.parse(
    JSON.stringify({
      document: { dsl: "1.0.3", namespace: "t", name: "t", version: "1.0.0" },
      do: [{ work: shell({ output: "json" }) }, { last: { set: "${ .output.n + 1 }" } }],
    }),
  );
  let snapshot = JSON.stringify(newInstance(row.id, "one", row.created_at));
  for (const input of stored) {
    const folded = advance(
      new Definition(document, "d"),
      JSON.parse(snapshot) as Instance,
      input.body as unknown as EngineInput,
      input.recorded_at,
    );
    snapshot = JSON.stringify(folded.instance);
  }
  expect(snapshot).toBe(row.snapshot);
  expect(p.store.read(verifyAudit, { tenantId: "default" }).brokenAt).toBeNull();
});

test("a claim that waits is answered when work comes; an empty queue answers 204", async () => {
  const p = await plane();
  const r = await runner(p);
  expect((await r.claim(0)).status).toBe(204);
  const waiting = r.claim(5_000);
  await p.start("late", [{ work: shell() }]);
  expect((await waiting).lease.taskId).toBe("work");
});

test("SR-2.1, SR-2.2: a repeated `started` is answered the same; one with another message id is refused and the first stays", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  const messageId = newId();
  const first = await r.started(lease, { messageId });
  expect(await r.started(lease, { messageId })).toEqual(first);
  expect(await r.started(lease)).toMatchObject({ status: 409, body: { code: "lease_used" } });
  expect(events(p, "one").filter(({ event }) => event === "step.attempt_started")).toHaveLength(1);
});

test("SR-2.3, SR-2.4: a wrong nonce, another lease's task, another runner and a wrong digest are refused", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  await p.start("two", [{ other: shell() }]);
  const r = await runner(p);
  const [one, two] = [(await r.claim()).lease, (await r.claim()).lease];
  expect(await r.started(one, { nonce: two.nonce })).toMatchObject({
    status: 422,
    body: { code: "identity_mismatch" },
  });
  await r.started(one);
  expect(await r.task(one, "complete", result(one, { taskId: two.taskId }))).toMatchObject({
    status: 422,
    body: { code: "identity_mismatch" },
  });
  expect(await r.task(one, "complete", result(one, { policyDigest: DIGEST }))).toMatchObject({
    status: 422,
    body: { code: "policy_digest_mismatch" },
  });
  const stranger = await runner(p, "r2");
  expect(await r.task(one, "renew", {}, stranger.session.claimToken)).toMatchObject({
    status: 403,
    body: { code: "runner_mismatch" },
  });
  expect(await r.task(one, "renew", { fencingToken: 9 })).toMatchObject({ status: 422 });
  expect(p.run("one").status).toBe("waiting");
});

test("SR-1.4: a lease of another tenant reads exactly as one that does not exist", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  const foreign = await runner(p, "r9", "tenant-b");
  const seen = await r.task(lease, "renew", {}, foreign.session.claimToken);
  const unknown = await r.task({ ...lease, leaseId: newId() }, "renew", {}, foreign.session.claimToken);
  expect(seen).toEqual(unknown);
  expect(seen).toMatchObject({ status: 404, body: { code: "lease_not_found" } });
});

test("SR-2.5, F18: an unstarted lease that ran out is queued again; a started one waits for an operator", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const first = (await r.claim()).lease;
  p.clock.advance(LIMITS.leaseMs + 1);
  expect(await r.started(first)).toMatchObject({ status: 410, body: { code: "runner_lease_expired" } });
  await p.store.write(reapLeases, { now: p.clock.wall(), limit: 10 });
  p.clock.advance(2_000);
  await beat(p, r);
  const second = (await r.claim()).lease;
  expect(second).toMatchObject({ attempt: 2, fencingToken: 2 });
  await r.started(second);
  p.clock.advance(LIMITS.leaseMs + 1);
  await p.store.write(reapLeases, { now: p.clock.wall(), limit: 10 });
  const tasks = p.store.read(listOperatorTasks, { tenantId: "default", all: false });
  expect(tasks).toMatchObject([{ kind: "outcome_unknown", body: { step_id: "work", attempt: 2 } }]);
  expect(p.run("one").status).toBe("waiting");
  // The late result is kept as a diagnosis and changes nothing.
  expect(await r.task(second, "complete", result(second))).toMatchObject({
    status: 410,
    body: { code: "runner_lease_expired" },
  });
  await Bun.sleep(20);
  expect(p.run("one").status).toBe("waiting");
});

async function beat(p: Plane, r: Awaited<ReturnType<typeof runner>>, more: JsonObject = {}) {
  const body = {
    messageId: newId(),
    runnerId: r.runnerId,
    sessionId: r.session.sessionId,
    status: "ready",
    configHash: DIGEST,
    commandAllowlistHash: DIGEST,
    activeLeases: [],
    freeSlots: 1,
    cleanupBacklog: 0,
    timestamp: "2026-01-01T00:00:00Z",
    ...more,
  };
  return await send(p.controller, "POST", "/runner/heartbeat", body, r.session.heartbeatToken);
}

test("a repeatable step whose outcome is unknown gets a new attempt; the old fence is refused everywhere", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell({ repeatable: true }) }]);
  const r = await runner(p);
  const old = (await r.claim()).lease;
  await r.started(old);
  p.clock.advance(LIMITS.leaseMs + 1);
  await p.store.write(reapLeases, { now: p.clock.wall(), limit: 10 });
  await beat(p, r);
  const next = (await r.claim()).lease;
  expect(next.attempt).toBe(2);
  await r.started(next);
  expect(await r.task(old, "complete", result(old))).toMatchObject({
    status: 410,
    body: { code: "stale_fence" },
  });
  expect(await r.task(old, "renew", {})).toMatchObject({ status: 410 });
  await r.task(next, "complete", result(next));
  await p.until("one", "completed");
});

test("F24, F25: an identical result is acknowledged again, a different one is refused and the first stays", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  await r.started(lease);
  const first = await r.task(lease, "complete", result(lease));
  expect(first.status).toBe(200);
  expect((await r.task(lease, "complete", result(lease))).body).toEqual(first.body);
  expect(await r.task(lease, "fail", result(lease, { status: "failed", exitCode: 1 }))).toMatchObject({
    status: 409,
    body: { code: "result_conflict" },
  });
  await p.until("one", "completed");
});

test("F28: a success that names an artifact whose bytes are not here is refused", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  await r.started(lease);
  const missing = sha256("never uploaded");
  const reference = {
    name: "a",
    sha256: missing,
    size: 1,
    mediaType: "text/plain",
    uri: `artifact://sha256/${missing}`,
  };
  expect(await r.task(lease, "complete", result(lease, { artifactRefs: [reference] }))).toMatchObject({
    status: 422,
    body: { code: "artifact_digest_mismatch" },
  });
  const wrong = `/runner/task/${lease.leaseId}/artifact/${missing}?attempt=1&fencingToken=1`;
  expect(
    await send(p.controller, "PUT", wrong, Buffer.from("other bytes"), r.session.claimToken),
  ).toMatchObject({ status: 422, body: { code: "artifact_digest_mismatch" } });
  expect(p.artifacts.has(missing)).toBe(false);
});

test("cancelling a run tells its runner at once and its late success changes nothing", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  await r.started(lease);
  const held = beat(p, r, { waitMs: 8_000 });
  await Bun.sleep(10);
  expect(await p.orchestrator.cancel("default", "one", "stop")).toBe("cancelled");
  expect((await held).body["directives"]).toMatchObject([{ kind: "cancel", leaseId: lease.leaseId }]);
  expect((await r.task(lease, "renew", {})).body["directives"]).toMatchObject([{ kind: "cancel" }]);
  await r.task(lease, "complete", result(lease));
  await Bun.sleep(20);
  expect(p.run("one").status).toBe("cancelled");
  expect(await p.orchestrator.cancel("default", "one", "again")).toBe("cancelled");
});

test("F32: a queued step of a cancelled run is never offered", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  await p.orchestrator.cancel("default", "one", "stop");
  const r = await runner(p);
  expect((await r.claim()).status).toBe(204);
});

test("F9: a claim that is repeated with its message id gets its lease again, not a second one", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const messageId = newId();
  const first = await r.claim(0, messageId);
  expect((await r.claim(0, messageId)).lease).toEqual(first.lease);
  expect((await r.claim(0)).status).toBe(204);
});

test("F51: a rejected offer goes back to the queue", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  expect((await r.task(lease, "reject", { reason: "no slot" })).status).toBe(200);
  expect((await r.claim()).status).toBe(204);
  p.clock.advance(1_500);
  expect((await r.claim()).lease.attempt).toBe(2);
});

test("SR-1: no credential, a foreign one, one of the other kind and one of a closed session are refused", async () => {
  const p = await plane();
  const r = await runner(p);
  const claim = {
    messageId: newId(),
    runnerId: "r1",
    sessionId: r.session.sessionId,
    freeSlots: 1,
    waitMs: 0,
  };
  expect((await send(p.controller, "POST", "/runner/claim", claim, null)).status).toBe(401);
  expect((await send(p.controller, "POST", "/runner/claim", claim, randomToken())).status).toBe(401);
  expect((await send(p.controller, "POST", "/runner/claim", claim, r.session.heartbeatToken)).status).toBe(
    403,
  );
  expect(
    (await send(p.controller, "POST", "/runner/register", registration("r1"), randomToken())).status,
  ).toBe(401);
  for (const lie of [{ tenantId: "tenant-b" }, { runnerId: "r2" }, { hostId: "elsewhere" }] as JsonObject[]) {
    const refused = await send(p.controller, "POST", "/runner/register", registration("r1", lie), r.token);
    expect(refused).toMatchObject({ status: 403, body: { code: "registration_refused" } });
  }
  expect(
    p.store
      .read(listAudit, { tenantId: "default", after: 0, limit: 100 })
      .filter(({ action }) => action === "registration.refused"),
  ).toHaveLength(3);
  const again = await send(p.controller, "POST", "/runner/register", registration("r1"), r.token);
  expect(again.body["generation"]).toBe(2);
  expect((await send(p.controller, "POST", "/runner/claim", claim, r.session.claimToken)).body["code"]).toBe(
    "runner_session_inactive",
  );
});

test("SR-5.1: what a runner claims beyond its approval is not effective", async () => {
  const p = await plane();
  const token = await enrol(p, "greedy");
  const wide = registration("greedy", {
    runnerPools: ["default", "release"],
    capabilities: ["git", "docker"],
    slots: 1000,
  });
  const answer = await send(p.controller, "POST", "/runner/register", wide, token);
  expect(answer.body["effective"]).toEqual({
    runnerPools: ["default"],
    executionProfiles: ["default"],
    capabilities: ["git"],
  });
  await p.start("one", [{ work: shell({ runner: { capabilities: ["docker"] } }) }]);
  const session = answer.body as unknown as RegistrationAccepted;
  const claim = {
    messageId: newId(),
    runnerId: "greedy",
    sessionId: session.sessionId,
    freeSlots: 1,
    waitMs: 0,
  };
  expect((await send(p.controller, "POST", "/runner/claim", claim, session.claimToken)).status).toBe(204);
});

test("SR-4: nothing of other tasks, of the context or of the definition reaches the runner", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }, { later: { run: { shell: { command: "MARKER-OTHER-TASK" } } } }], {
    secretish: "MARKER-CONTEXT",
  });
  const r = await runner(p);
  const { body } = await r.claim();
  expect(JSON.stringify(body)).not.toContain("MARKER");
});

test("SR-11.1: a changed hash makes the session suspicious: no new lease, one audit event", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  await beat(p, r, { configHash: `sha256:${"1".repeat(64)}` });
  expect(await r.claim()).toMatchObject({ status: 403, body: { code: "runner_quarantined" } });
  expect(
    p.store
      .read(listAudit, { tenantId: "default", after: 0, limit: 100 })
      .filter(({ action }) => action === "session.suspicious"),
  ).toHaveLength(1);
});

test("F52: a draining runner gets no lease, and may end the one it has", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  await p.start("two", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  await r.started(lease);
  const drain = {
    messageId: newId(),
    runnerId: "r1",
    sessionId: r.session.sessionId,
    reason: "upgrade",
    deadlineMs: 1,
  };
  expect((await send(p.controller, "POST", "/runner/drain", drain, r.session.heartbeatToken)).status).toBe(
    200,
  );
  expect(await r.claim()).toMatchObject({ status: 403, body: { code: "runner_draining" } });
  await r.task(lease, "complete", result(lease));
  await p.until("one", "completed");
});

test("X.8, X.9: another major, unknown fields, duplicate keys, a wrong type and oversize bodies are refused", async () => {
  const p = await plane();
  const r = await runner(p);
  const claim = {
    messageId: newId(),
    runnerId: "r1",
    sessionId: r.session.sessionId,
    freeSlots: 1,
    waitMs: 0,
  };
  const token = r.session.claimToken;
  expect(
    (await send(p.controller, "POST", "/runner/claim", claim, token, { "lightflow-protocol": "2.0" })).body[
      "code"
    ],
  ).toBe("protocol_unsupported");
  expect(
    (await send(p.controller, "POST", "/runner/claim", { ...claim, extra: 1 }, token)).body,
  ).toMatchObject({ code: "invalid_request", error: "/extra: unknown field" });
  const raw = (text: string, type = "application/json") =>
    handleRunner(
      p.controller,
      new Request("http://c/runner/claim", {
        method: "POST",
        body: text,
        headers: { "content-type": type, "lightflow-protocol": "1.0", authorization: `Bearer ${token}` },
      }),
    );
  expect((await raw('{"a":1,"a":2}')).status).toBe(400);
  expect((await raw("{}", "text/plain")).status).toBe(415);
  expect((await raw(JSON.stringify({ a: "x".repeat(LIMITS.protocolBodyBytes) }))).status).toBe(413);
});

test("F1: a start event that comes twice, or twice at once, makes one instance", async () => {
  const p = await plane();
  const both = await Promise.all([
    p.start("a", [{ w: shell() }], {}, "event-1"),
    p.start("b", [{ w: shell() }], {}, "event-1"),
  ]);
  expect(both.map(({ created }) => created)).toEqual([true, false]);
  expect(both[1]!.instanceId).toBe(both[0]!.instanceId);
});

test("a run id is taken once", async () => {
  const p = await plane();
  await p.start("same", [{ w: shell() }]);
  await expect(p.start("same", [{ w: shell() }])).rejects.toThrow("run same already exists");
});

test("two runners that race for each lease: exactly one wins, a thousand times", async () => {
  const p = await plane();
  const [a, b] = [await runner(p, "ra"), await runner(p, "rb")];
  const rounds = process.env["LIGHTFLOW_DEEP"] === undefined ? 100 : 1000;
  for (let round = 0; round < rounds; round++) {
    await p.start(`race-${round}`, [{ w: shell() }]);
    const claims = await Promise.all([a.claim(), b.claim()]);
    expect(claims.map(({ status }) => status).sort()).toEqual([200, 204]);
    const [winner, { lease }] = claims[0]!.status === 200 ? [a, claims[0]!] : [b, claims[1]!];
    await winner.started(lease);
    await winner.task(lease, "complete", result(lease));
  }
  await p.until(`race-${rounds - 1}`, "completed");
});

test("policy refuses what its profile does not allow, at the start or at the step, with the layer's name", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell({ runner: { capabilities: ["event-importer"] } }) }]);
  const row = await p.until("one", "faulted");
  expect(JSON.parse(row.snapshot)).toMatchObject({
    error: { status: 403, data: { code: "execution_policy_denied" } },
  });
});

test("steps of one session go to the runner that has its workspace", async () => {
  const p = await plane();
  await p.start("one", [
    { first: shell({ workspace: "session" }) },
    { second: shell({ workspace: "session" }) },
  ]);
  const [a, b] = [await runner(p, "ra"), await runner(p, "rb")];
  const { lease } = await a.claim();
  await a.started(lease);
  await a.task(lease, "complete", result(lease));
  for (
    let tries = 0;
    tries < 100 && events(p, "one").filter(({ step_id }) => step_id === "second").length === 0;
    tries++
  )
    await Bun.sleep(5);
  expect((await b.claim()).status).toBe(204);
  expect((await a.claim()).lease).toMatchObject({
    taskId: "second",
    workspace: { mode: "session", key: lease.workspace.key },
  });
});

test("SR-5.8: a step that needs an isolation which a runner did not prove waits for one that did", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell({ security: { sandbox: { mode: "per-agent-call" } } }) }]);
  const weak = await runner(p, "weak");
  expect((await weak.claim()).status).toBe(204);
  const token = await enrol(p, "strong");
  const strong = registration("strong", { sandbox: { modes: ["none", "per-agent-call"], providers: [] } });
  const session = (await send(p.controller, "POST", "/runner/register", strong, token))
    .body as unknown as RegistrationAccepted;
  const claim = {
    messageId: newId(),
    runnerId: "strong",
    sessionId: session.sessionId,
    freeSlots: 1,
    waitMs: 0,
  };
  const claimed = await send(p.controller, "POST", "/runner/claim", claim, session.claimToken);
  expect(claimed.body).toMatchObject({ taskId: "work", sandbox: { mode: "per-agent-call" } });
});

test("a runner holds no more leases than the slots that were approved for it", async () => {
  const p = await plane();
  for (const id of ["one", "two", "three"]) await p.start(id, [{ work: shell() }]);
  const r = await runner(p);
  expect([(await r.claim()).status, (await r.claim()).status, (await r.claim()).status]).toEqual([
    200, 200, 204,
  ]);
});

test("SR-11.2: a snapshot that differs from the registration makes the session suspicious and says which fields", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const snapshot = {
    messageId: newId(),
    runnerId: "r1",
    sessionId: r.session.sessionId,
    commands: [],
    sandboxTemplates: [],
    mounts: [],
    networkPolicy: "deny-all",
    secretBindings: [],
    configHash: DIGEST,
    commandAllowlistHash: DIGEST,
    binaryDigest: DIGEST,
  };
  const ask = (more: JsonObject) =>
    send(
      p.controller,
      "POST",
      "/runner/audit-snapshot",
      { ...snapshot, messageId: newId(), ...more },
      r.session.heartbeatToken,
    );
  expect((await ask({})).body).toEqual({ verdict: "match", fields: [] });
  expect((await ask({ mounts: ["/"] })).body).toEqual({ verdict: "mismatch", fields: ["mounts"] });
  expect(await r.claim()).toMatchObject({ status: 403, body: { code: "runner_quarantined" } });
});

test("F12, F42: an attempt that provably started nothing is tried again, five times at most", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  for (let attempt = 1; attempt <= 5; attempt++) {
    const { lease } = await r.claim();
    expect(lease.attempt).toBe(attempt);
    const failed = {
      status: "failed",
      exitCode: null,
      errorCode: "execution_start_failed",
      summary: "no sandbox",
    };
    expect((await r.task(lease, "fail", result(lease, failed))).status).toBe(200);
    for (let tries = 0; tries < 200 && events(p, "one").at(-1)!.event === "step.leased"; tries++)
      await Bun.sleep(5);
    p.clock.advance(10_000);
    await beat(p, r);
  }
  const row = await p.until("one", "faulted");
  expect(JSON.parse(row.snapshot)).toMatchObject({ error: { data: { code: "execution_start_failed" } } });
});
