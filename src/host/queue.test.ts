import { expect, test } from "bun:test";
import {
  audit,
  beat,
  events,
  type Plane,
  plane,
  result,
  runner,
  shell,
} from "../../test/support/control-plane.ts";
import { until } from "../../test/support/until.ts";
import { newId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { Lease } from "../protocol/index.ts";
import { failLostSessions, listOperatorTasks, reapLeases } from "../store/index.ts";
import { explainTasks } from "../store/leases/explain.ts";
import { viewLeases, viewQueue } from "../store/leases/queue-views.ts";
import { quarantine } from "../store/runners/quarantine.ts";

const why = (p: Plane, task: string) =>
  p.store.read(explainTasks, { tenantId: "default", task, now: p.clock.wall() });
const queue = (p: Plane) => p.store.read(viewQueue, { tenantId: "default", limit: 100 });
const leases = (p: Plane) => p.store.read(viewLeases, { tenantId: "default", limit: 100 });

async function queued(p: Plane, run: string, count = 1) {
  await until(
    () => why(p, run).length >= count,
    () => why(p, run),
  );
  return why(p, run);
}

test("a task that no runner may have says which check each one fails, and each is audited once", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell({ runner: { capabilities: ["docker"] } }) }]);
  expect(why(p, "one")).toMatchObject([{ reason: "no runner is connected", position: 0, diagnostic: null }]);
  const r = await runner(p);
  for (let claims = 0; claims < 3; claims++) expect((await r.claim()).status).toBe(204);
  expect(audit(p, "lease.denied")).toMatchObject([
    {
      object: `request:${why(p, "one")[0]!.request_id}`,
      body: { check: 6, reason: "execution_capability_missing" },
    },
  ]);
  expect(why(p, "one/work")).toMatchObject([
    {
      state: "pending",
      reason: "the only runner may not have it: the runner lacks docker",
      diagnostic: "execution_capability_missing: the runner lacks docker",
      sessions: [{ runner_id: "r1", check: 6, code: "execution_capability_missing" }],
    },
  ]);
  await p.start("two", [{ work: shell() }]);
  expect(why(p, "two")).toMatchObject([{ reason: "it is next", sessions: [{ check: null, code: null }] }]);
  p.clock.advance(LIMITS.sessionSilentMs + 1);
  expect(why(p, "two")[0]!.sessions).toMatchObject([{ check: 1, code: "runner_session_inactive" }]);
  expect(why(p, "nothing")).toEqual([]);
});

test("a refused message leaves one audit entry with actor, object and reason, and changes nothing else", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  const before = audit(p).length;
  expect((await r.started(lease, { nonce: "guessed" })).status).toBe(422);
  expect((await r.task(lease, "complete", result(lease))).status).toBe(409);
  expect((await r.task({ ...lease, leaseId: newId() }, "renew", {})).status).toBe(404);
  expect((await r.task(lease, "renew", { extra: 1 })).status).toBe(400);
  const refused = audit(p, "message.refused");
  expect(audit(p)).toHaveLength(before + 4);
  expect(refused.every(({ actor }) => actor === "runner:r1")).toBe(true);
  expect(refused[0]!.object).toContain(`${lease.leaseId}/started`);
  expect(refused.map(({ body }) => body["code"])).toEqual([
    "identity_mismatch",
    "lease_state_conflict",
    "lease_not_found",
    "invalid_request",
  ]);
  expect(leases(p)).toMatchObject([{ state: "leased", started_at: null }]);
  // Nobody's chain grows by what a stranger sends.
  expect((await r.task(lease, "renew", {}, "stranger")).status).toBe(401);
  expect(audit(p)).toHaveLength(before + 4);
});

test("tasks with one key run one at a time, by priority and age; a failed and a cancelled one let the next in", async () => {
  const p = await plane();
  const keyed = (priority = 0) => shell({ concurrency: { key: "deploy" }, priority });
  await p.start("a", [{ work: keyed() }]);
  await p.start("b", [{ work: keyed() }]);
  await p.start("c", [{ work: keyed(5) }]);
  await p.start("free", [{ work: shell() }]);
  expect(queue(p).tasks.map(({ run_id, state }) => `${run_id} ${state}`)).toEqual([
    "a pending",
    "free pending",
    "c parked",
    "b parked",
  ]);
  expect(why(p, "b")).toMatchObject([{ position: null, reason: "its key deploy is held by 1 other task" }]);
  const r = await runner(p);
  const a = (await r.claim()).lease;
  expect((await r.claim()).lease.wfInstanceId).toBe(p.run("free").id);
  await r.started(a);
  // Its command still runs: the key is not free before the lease has ended.
  await p.orchestrator.cancel("default", "a", "stop");
  expect(why(p, "c")[0]!.state).toBe("parked");
  await r.task(
    a,
    "fail",
    result(a, { status: "cancelled", exitCode: null, errorCode: "execution_cancelled" }),
  );
  await until(() => why(p, "c")[0]!.state !== "parked");
  const c = (await r.claim()).lease;
  expect(c.wfInstanceId).toBe(p.run("c").id);
  await r.started(c);
  await r.task(c, "fail", result(c, { status: "failed", exitCode: 1 }));
  await p.until("c", "faulted");
  await p.orchestrator.cancel("default", "b", "stop");
  expect(queue(p).tasks).toEqual([]);
  await p.start("d", [{ work: keyed() }]);
  expect(why(p, "d")[0]!.state).toBe("pending");
});

test("a cancelled task gives its key back however its lease ends: rejected, never arrived, or fenced by quarantine", async () => {
  type Runner = Awaited<ReturnType<typeof runner>>;
  const ends: Record<string, (p: Plane, r: Runner, lease: Lease) => Promise<{ status: number }>> = {
    rejected: (_, r, lease) => r.task(lease, "reject", { reason: "no room" }),
    "never arrived": (p, r) => {
      p.clock.advance(LIMITS.lostOfferMs + 1);
      return beat(p, r);
    },
    fenced: async (p, { runnerId }) => {
      const by = {
        tenantId: "default",
        runnerId,
        reason: "odd",
        facts: {},
        actor: "test",
        now: p.clock.wall(),
      };
      return { status: (await p.store.write(quarantine, by)) ? 200 : 500 };
    },
  };
  for (const [name, end] of Object.entries(ends)) {
    const p = await plane();
    const keyed = shell({ concurrency: { key: "deploy" } });
    await p.start("first", [{ work: keyed }]);
    await p.start("next", [{ work: keyed }]);
    const r = await runner(p);
    const { lease } = await r.claim();
    await p.orchestrator.cancel("default", "first", "stop");
    expect(why(p, "next")[0]!.state).toBe("parked");
    expect(await end(p, r, lease), name).toMatchObject({ status: 200 });
    expect(why(p, "next")[0]!.state, name).toBe("pending");
  }
});

test("a key with a limit lets that many in; an expression makes it different from run to run", async () => {
  const p = await plane();
  const keyed = shell({ concurrency: { key: "${ .zone }", limit: 2 } });
  for (const [run, zone] of [
    ["a", "x"],
    ["b", "x"],
    ["c", "x"],
    ["d", "y"],
  ]) {
    await p.start(run!, [{ work: keyed }], { zone: zone! });
  }
  expect(queue(p).tasks.map(({ run_id, state }) => `${run_id} ${state}`)).toEqual([
    "a pending",
    "b pending",
    "d pending",
    "c parked",
  ]);
});

async function unknown(p: Plane, run: string, light = {}) {
  await p.start(run, [{ work: shell({ output: "json", ...light }) }, { last: { set: "${ . }" } }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  await r.started(lease);
  p.clock.advance(LIMITS.leaseMs + 1);
  await p.store.write(reapLeases, { now: p.clock.wall(), limit: 10 });
  await beat(p, r);
  const [task] = p.store.read(listOperatorTasks, { tenantId: "default", all: false });
  return { r, lease, task: task! };
}

const decide = (p: Plane, attempt: string, as: "succeeded" | "failed" | "retry") =>
  p.orchestrator.resolveAttempt({
    tenantId: "default",
    attempt,
    as,
    output: { n: 1 },
    note: "seen",
    actor: "user:1",
  });

test("an attempt of unknown outcome goes on as an operator decides, once, and says who decided", async () => {
  const p = await plane();
  const { task, lease } = await unknown(p, "one");
  expect(why(p, "one")).toMatchObject([{ state: "unknown", operator_task: task.id }]);
  await expect(
    p.orchestrator.resolveAttempt({
      tenantId: "tenant-b",
      attempt: task.id,
      as: "failed",
      output: null,
      note: "",
      actor: "x",
    }),
  ).rejects.toThrow("not found");
  expect(await decide(p, task.id, "succeeded")).toMatchObject({ leaseId: lease.leaseId, attempt: 1 });
  const row = await p.until("one", "completed");
  expect(JSON.parse(row.snapshot)).toMatchObject({ output: { exitCode: 0, output: { n: 1 } } });
  expect(audit(p, "attempt.resolved")).toMatchObject([
    { actor: "user:1", body: { resolution: "succeeded" } },
  ]);
  await expect(decide(p, lease.leaseId, "failed")).rejects.toThrow("is not open");
  expect(p.store.read(listOperatorTasks, { tenantId: "default", all: true })).toMatchObject([
    { state: "resolved", resolution: "succeeded by user:1: seen" },
  ]);
});

test("resolved as failed the step fails; as retry it gets a new attempt, and the old one's late result is refused", async () => {
  const p = await plane();
  const { lease } = await unknown(p, "one");
  await decide(p, lease.leaseId, "failed");
  const row = await p.until("one", "faulted");
  expect(JSON.parse(row.snapshot)).toMatchObject({ error: { data: { code: "execution_outcome_unknown" } } });

  const { task, lease: old, r } = await unknown(p, "two");
  await decide(p, task.id, "retry");
  const next = (await r.claim()).lease;
  expect(next).toMatchObject({ attempt: 2, fencingToken: 2 });
  await r.started(next);
  expect(await r.task(old, "complete", result(old))).toMatchObject({
    status: 410,
    body: { code: "stale_fence" },
  });
  await r.task(next, "complete", result(next));
  await p.until("two", "completed");
  expect(events(p, "two").map(({ event }) => event)).toContain("step.attempt_resolved");
});

test("a repeatable step that is lost again and again waits for an operator in the end", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell({ repeatable: true }) }]);
  const r = await runner(p);
  for (let attempt = 1; attempt <= 5; attempt++) {
    const { lease } = await r.claim();
    expect(lease.attempt).toBe(attempt);
    await r.started(lease);
    p.clock.advance(LIMITS.leaseMs + 1);
    await p.store.write(reapLeases, { now: p.clock.wall(), limit: 10 });
    await beat(p, r);
  }
  expect((await r.claim()).status).toBe(204);
  expect(why(p, "one")[0]!.state).toBe("unknown");
});

test("steps of a session whose runner is gone fail, and a run that handles it gets a new workspace", async () => {
  const p = await plane();
  const session = shell({ workspace: "session" });
  await p.start("one", [{ first: session }, { second: session }]);
  const [a, b] = [await runner(p, "ra"), await runner(p, "rb")];
  const { lease } = await a.claim();
  await a.started(lease);
  await a.task(lease, "complete", result(lease));
  await queued(p, "one", 2);
  expect((await b.claim()).status).toBe(204);
  expect(why(p, "one/second")[0]!.sessions).toMatchObject([
    { runner_id: "ra", check: null },
    { runner_id: "rb", check: 3, code: "runner_mismatch" },
  ]);
  p.clock.advance(LIMITS.sessionLostMs + 1);
  await beat(p, b);
  const row = await p.until("one", "faulted");
  expect(JSON.parse(row.snapshot)).toMatchObject({
    error: { data: { code: "execution_session_lost", runnerId: "ra" } },
  });
  expect(audit(p, "session.lost")).toHaveLength(1);
  expect(
    await p.store.write(failLostSessions, {
      engine: null as never,
      now: p.clock.wall(),
      silentSince: p.clock.wall() - LIMITS.sessionLostMs,
      limit: 10,
      toInput: () => ({ kind: "" }),
    }),
  ).toBe(0);
});

test("SR-5.8: a task that waits longer than its own queue time fails, also while it is parked", async () => {
  const p = await plane();
  const keyed = shell({ concurrency: { key: "k" }, queueTimeoutMs: 5_000 });
  await p.start("holds", [{ work: shell({ concurrency: { key: "k" } }) }]);
  await p.start("late", [{ work: keyed }]);
  p.clock.advance(5_001);
  const row = await p.until("late", "faulted");
  expect(JSON.parse(row.snapshot)).toMatchObject({ error: { data: { code: "execution_queue_timeout" } } });
  expect(p.run("holds").status).toBe("waiting");
});

test("X.8: a directive that a session has to hear comes with its renewals too", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  await r.started(lease);
  await r.drain();
  expect((await r.task(lease, "renew", {})).body["directives"]).toMatchObject([{ kind: "drain" }]);
});

test("F4, F5: a result that no orchestrator was at hand for is taken by the next look, once", async () => {
  const p = await plane();
  p.controller.acceptance = null;
  await p.start("one", [{ work: shell() }, { again: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  await r.started(lease);
  await Promise.all([1, 2, 3].map(() => r.task(lease, "complete", result(lease))));
  p.store.announce("result", new Set([lease.leaseId]));
  p.store.announce("result");
  await queued(p, "one", 2);
  expect(events(p, "one").filter(({ event }) => event === "step.attempt_finished")).toHaveLength(1);
  expect(audit(p, "result.accepted")).toHaveLength(1);
});

test("a result is stored and acknowledged also when the run cannot go on with it", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  await r.started(lease);
  p.controller.acceptance = {
    ...p.orchestrator.acceptance,
    engine: {
      ...p.orchestrator.acceptance.engine,
      advance: () => {
        throw new Error("a defect");
      },
    },
  };
  expect((await r.task(lease, "complete", result(lease))).status).toBe(200);
  await p.until("one", "completed");
});

test("a claim of a runner that is full has the next lease in the very commit in which one of its leases ends", async () => {
  for (const end of ["complete", "reject"] as const) {
    const p = await plane();
    for (const run of ["one", "two"]) await p.start(run, [{ work: shell() }]);
    const r = await runner(p, "r1", "default", ["default"], {}, { slots: 1 });
    const { lease } = await r.claim();
    let commits = 0;
    p.store.listen((topic) => {
      if (topic === "slot") commits++;
    });
    const next = r.claim(20_000);
    // It finds its runner full.
    for (let turn = 0; turn < 20; turn++) await p.store.write(() => {}, null);
    if (end === "complete") {
      await r.started(lease);
      await r.task(lease, "complete", result(lease));
    } else await r.task(lease, "reject", { reason: "not here" });
    const second = await next;
    expect([second.status, commits]).toEqual([200, 1]);
    expect(second.lease.wfInstanceId).not.toBe(lease.wfInstanceId);
  }
});
