import { expect, test } from "bun:test";
import {
  beat,
  DIGEST,
  events,
  plane,
  result,
  runner,
  send,
  shell,
} from "../../test/support/control-plane.ts";
import { until } from "../../test/support/until.ts";
import { sha256 } from "../base/canonical.ts";
import { newId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { advance, Definition, type EngineInput, type Instance, newInstance } from "../engine/index.ts";
import { importPublicKey, verifyLease } from "../protocol/index.ts";
import { listCutStreams, listInputs, listOperatorTasks, reapLeases, verifyAudit } from "../store/index.ts";

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

test("F29: a log whose last chunk never came is marked as not whole, and its result counts", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  await r.started(lease);
  const log = (stream: string, final: boolean) =>
    send(
      p.controller,
      "POST",
      `/runner/task/${lease.leaseId}/log?messageId=${newId()}&attempt=1&fencingToken=1&stream=${stream}&seq=0&final=${final}`,
      Buffer.from("text"),
      r.session.claimToken,
    );
  await log("stdout", false);
  await log("stderr", true);
  const cut = () => p.store.read(listCutStreams, { instanceId: p.run("one").id, stepId: null });
  // What still runs may still write.
  expect(cut()).toEqual([]);
  expect((await r.task(lease, "complete", result(lease))).status).toBe(200);
  await p.until("one", "completed");
  expect(cut()).toEqual([{ step_id: "work", attempt: 1, stream: "stdout" }]);
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

test("SR-4: nothing of other tasks, of the context or of the definition reaches the runner", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }, { later: { run: { shell: { command: "MARKER-OTHER-TASK" } } } }], {
    secretish: "MARKER-CONTEXT",
  });
  const r = await runner(p);
  const { body } = await r.claim();
  expect(JSON.stringify(body)).not.toContain("MARKER");
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
  const rounds = 1000;
  for (let round = 0; round < rounds; round++) {
    await p.start(`race-${round}`, [{ w: shell() }]);
    const claims = await Promise.all([a.claim(), b.claim()]);
    expect(claims.map(({ status }) => status).sort()).toEqual([200, 204]);
    const [winner, { lease }] = claims[0]!.status === 200 ? [a, claims[0]!] : [b, claims[1]!];
    await winner.started(lease);
    await winner.task(lease, "complete", result(lease));
  }
  await p.until(`race-${rounds - 1}`, "completed");
}, 60_000);

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
  await until(() => events(p, "one").some(({ step_id }) => step_id === "second"));
  expect((await b.claim()).status).toBe(204);
  expect((await a.claim()).lease).toMatchObject({
    taskId: "second",
    workspace: { mode: "session", key: lease.workspace.key },
  });
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
    await until(() => events(p, "one").at(-1)!.event !== "step.leased");
    p.clock.advance(10_000);
    await beat(p, r);
  }
  const row = await p.until("one", "faulted");
  expect(JSON.parse(row.snapshot)).toMatchObject({ error: { data: { code: "execution_start_failed" } } });
});
