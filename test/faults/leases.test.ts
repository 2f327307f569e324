import { expect, test } from "bun:test";
import { LIMITS } from "../../src/base/limits.ts";
import { listAudit, listOperatorTasks } from "../../src/store/index.ts";
import { explainTasks } from "../../src/store/leases/explain.ts";
import { viewLeases } from "../../src/store/leases/queue-views.ts";
import { beat, events, type Plane, plane, result, runner, shell } from "../support/control-plane.ts";
import { until } from "../support/until.ts";

/** Results that come late, twice, changed or from an older attempt, and clocks that jump. */

const stateOf = (p: Plane, run: string) =>
  p.store.read(explainTasks, { tenantId: "default", task: run, now: p.clock.wall() })[0]!.state;
const live = (p: Plane) => p.store.read(viewLeases, { tenantId: "default", limit: 10 });
const audited = (p: Plane, action: string) =>
  p.store
    .read(listAudit, { tenantId: "default", after: 0, limit: 1000 })
    .filter((row) => row.action === action);

async function started(p: Plane, run: string, light = {}) {
  await p.start(run, [{ work: shell(light) }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  expect((await r.started(lease)).status).toBe(200);
  return { r, lease };
}

test("F22: a runner's clock an hour off decides nothing; its times are marked in the history", async () => {
  const p = await plane();
  const { r, lease } = await started(p, "ahead");
  const hour = new Date(p.clock.wall() + 3_600_000).toISOString();
  expect(
    (await r.task(lease, "complete", result(lease, { startedAt: hour, completedAt: hour }))).status,
  ).toBe(200);
  await p.until("ahead", "completed");
  const finished = events(p, "ahead").find(({ event }) => event === "step.attempt_finished")!;
  expect(finished.detail).toMatchObject({ clock_skew_ms: 3_600_000 });

  const behind = await started(p, "behind");
  const before = new Date(p.clock.wall() - 3_600_000).toISOString();
  await behind.r.task(
    behind.lease,
    "complete",
    result(behind.lease, { startedAt: before, completedAt: before }),
  );
  await p.until("behind", "completed");
  expect(events(p, "behind").find(({ event }) => event === "step.attempt_finished")!.detail).toMatchObject({
    clock_skew_ms: -3_600_000,
  });
});

test("F23: the server's clock goes back an hour: no lease lives longer for it, and renewals end where they would have", async () => {
  const p = await plane();
  const { r, lease } = await started(p, "one");
  p.clock.setWall(p.clock.wall() - 3_600_000);
  const renewed = await r.task(lease, "renew", {});
  expect(renewed.body["remainingMs"]).toBeLessThanOrEqual(LIMITS.leaseMs);
  p.clock.advance(LIMITS.leaseMs + 1000);
  expect(await r.task(lease, "renew", {})).toMatchObject({
    status: 410,
    body: { code: "runner_lease_expired" },
  });
  await until(() => stateOf(p, "one") === "unknown");
});

test("F23: a controller that comes back with a clock an hour behind cuts what is left of each lease to its usual time", async () => {
  const p = await plane();
  await started(p, "one");
  const [before] = live(p);
  // As the next process reads it from the store: the lease seems to end an hour from now.
  p.controller.stop();
  p.clock.setWall(p.clock.wall() - 3_600_000);
  const { createController, Spool } = await import("../../src/controller/index.ts");
  const next = await createController({
    store: p.store,
    artifacts: p.artifacts,
    spool: p.controller.spool as InstanceType<typeof Spool>,
    clock: p.clock,
    log: p.controller.log,
  });
  try {
    await until(() => live(p)[0]!.expires_at < before!.expires_at);
    expect(live(p)[0]!.expires_at).toBe(p.clock.wall() + LIMITS.leaseMs);
  } finally {
    next.stop();
  }
});

test("SR-2.5, SR-2.8: renewals end with the task's own deadline, whatever is asked; a report after the end is 410", async () => {
  const p = await plane();
  const { r, lease } = await started(p, "one", { timeoutMs: 60_000 });
  const end = p.clock.wall() + 60_000 + LIMITS.killGraceMs + LIMITS.leaseMs;
  let last = 0;
  for (let at = 0; at < 90_000; at += LIMITS.leaseRenewMs) {
    const { status, body } = await r.task(lease, "renew", {});
    if (status !== 200) break;
    last = Date.parse(body["expiresAt"] as string);
    expect(last).toBeLessThanOrEqual(end);
    p.clock.advance(LIMITS.leaseRenewMs);
    await beat(p, r);
  }
  expect(last).toBe(end);
  p.clock.advance(LIMITS.leaseMs);
  for (const [action, body] of [
    ["renew", {}],
    ["progress", { value: 1 }],
    ["complete", result(lease)],
  ] as const) {
    expect({ action, ...(await r.task(lease, action, body)) }).toMatchObject({ action, status: 410 });
  }
});

test("F24, F25: the same result again is answered the same, ten at once too; a different one is refused with an entry", async () => {
  const p = await plane();
  const { r, lease } = await started(p, "one");
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => r.task(lease, "complete", result(lease))),
  );
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect(answers[0]).toMatchObject({ status: 200, body: { state: "accepted" } });
  await p.until("one", "completed");
  expect(audited(p, "result.accepted")).toHaveLength(1);
  const other = await r.task(lease, "complete", result(lease, { summary: "something else" }));
  expect(other).toMatchObject({ status: 409, body: { code: "result_conflict" } });
  expect(audited(p, "message.refused").map(({ body }) => body["code"])).toEqual(["result_conflict"]);
  expect(JSON.parse(p.run("one").snapshot)).not.toMatchObject({ output: "something else" });
});

test("SR-2.9, F26, F27: the result of a fenced attempt, before and after the new one's, is kept aside and changes nothing", async () => {
  const p = await plane();
  const { r, lease: old } = await started(p, "one", { repeatable: true });
  p.clock.advance(LIMITS.leaseMs + 1);
  await until(() => stateOf(p, "one") === "pending");
  await beat(p, r);
  const { lease: next } = await r.claim();
  await r.started(next);
  // F27: the old one's comes first.
  expect(await r.task(old, "complete", result(old, { summary: "old" }))).toMatchObject({
    status: 410,
    body: { code: "stale_fence" },
  });
  expect(live(p)).toMatchObject([{ attempt: 2, state: "started" }]);
  expect((await r.task(next, "complete", result(next, { summary: "new" }))).status).toBe(200);
  await p.until("one", "completed");
  // F26: and again, later.
  expect((await r.task(old, "complete", result(old, { summary: "old" }))).status).toBe(410);
  expect((await r.task({ ...old, fencingToken: 2 }, "complete", result(old))).status).toBe(422);
  expect(events(p, "one").filter(({ event }) => event === "step.attempt_finished")).toMatchObject([
    { detail: { attempt: 2 } },
  ]);
});

test("an attempt that is lost after its start is not run again, and its late success waits with the operator", async () => {
  const p = await plane();
  const { r, lease } = await started(p, "one");
  p.clock.advance(LIMITS.leaseMs + 1);
  await until(() => stateOf(p, "one") === "unknown");
  await beat(p, r);
  expect((await r.claim()).status).toBe(204);
  expect((await r.task(lease, "complete", result(lease))).status).toBe(410);
  expect(p.run("one").status).toBe("waiting");
  expect(p.store.read(listOperatorTasks, { tenantId: "default", all: false })).toMatchObject([
    { kind: "outcome_unknown", body: { attempt: 1 } },
  ]);
});

test("SR-2.6: of a lease that was offered again nothing is longer than it was", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const first = await r.claim(0, "0197f0c2-5d6e-7a01-9c55-0d4a5a1f6b11");
  p.clock.advance(20_000);
  await beat(p, r, {
    activeLeases: [{ leaseId: first.lease.leaseId, attempt: 1, fencingToken: 1, state: "leased" }],
  });
  const again = await r.claim(0, "0197f0c2-5d6e-7a01-9c55-0d4a5a1f6b11");
  expect(again.lease.expiresAt).toBe(first.lease.expiresAt);
  expect(again.lease.remainingMs).toBe(first.lease.remainingMs - 20_000);
});
