import { expect, test } from "bun:test";
import { sha256 } from "../../src/base/canonical.ts";
import { newId, randomToken } from "../../src/base/ids.ts";
import type { JsonObject } from "../../src/base/json.ts";
import { LIMITS } from "../../src/base/limits.ts";
import { signRegistration } from "../../src/protocol/index.ts";
import {
  askForSnapshots,
  directivesOf,
  enrolRunner,
  forgetSessions,
  listAudit,
  listOperatorTasks,
  verifyAudit,
} from "../../src/store/index.ts";
import {
  beat,
  DIGEST,
  events,
  keyOf,
  NO_COMMANDS,
  type Plane,
  plane,
  register,
  registration,
  result,
  runner,
  send,
  shell,
} from "../support/control-plane.ts";
import { until } from "../support/until.ts";

/** Orchestrator and controller in this process, on a clock that the test moves: faults that take minutes. */

const stateOf = (p: Plane, id: string) => JSON.parse(p.run(id).snapshot) as JsonObject;
const cancelsOf = (p: Plane, sessionId: string) =>
  (p.store.read(directivesOf, { sessionId }) ?? []).filter(({ kind }) => kind === "cancel");

/** What the runner runs with, whether it was asked for it or not. */
const snapshot = (p: Plane, r: Awaited<ReturnType<typeof runner>>, more: JsonObject = {}) =>
  send(
    p.controller,
    "POST",
    "/runner/audit-snapshot",
    {
      messageId: newId(),
      runnerId: r.runnerId,
      sessionId: r.session.sessionId,
      commands: [],
      sandboxTemplates: [],
      mounts: [],
      networkPolicy: "deny-all",
      secretBindings: [],
      configHash: DIGEST,
      commandAllowlistHash: NO_COMMANDS,
      binaryDigest: DIGEST,
      ...more,
    },
    r.session.heartbeatToken,
  );

test("F6, F7: a lease that was written and never left is queued again when it runs out; its slot is free", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  // Written, and the controller dies: nobody ever reads the answer.
  await r.claim();
  p.clock.advance(LIMITS.leaseMs + 1000);
  await beat(p, r);
  await until(() => events(p, "one").some(({ event }) => event === "step.requeued"));
  p.clock.advance(60_000);
  await beat(p, r);
  const { lease } = await r.claim();
  expect(lease).toMatchObject({ attempt: 2, fencingToken: 2 });
});

test("F8: an offer that got lost is taken back as soon as its runner's heartbeats do not list it", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  await beat(p, r);
  // Its answer may still be on its way.
  expect(events(p, "one").at(-1)!.event).toBe("step.leased");
  p.clock.advance(LIMITS.lostOfferMs + 1);
  await beat(p, r);
  expect(events(p, "one").at(-1)!.event).toBe("step.requeued");
  expect((await r.claim()).lease).toMatchObject({ attempt: 2 });
  expect(await r.started(lease)).toMatchObject({ status: 410, body: { code: "stale_fence" } });
});

test("F8: an offer that arrived, and is listed, stays as long as it lives", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  p.clock.advance(LIMITS.lostOfferMs + 1);
  const listed = { leaseId: lease.leaseId, attempt: 1, fencingToken: 1, state: "PREPARING" };
  await beat(p, r, { activeLeases: [listed] });
  expect((await r.started(lease)).status).toBe(200);
});

test("F10: live leases go on over a new connection of the same runner; the older one is refused", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  await r.started(lease);
  const again = await register(p, registration("r1"), r.token);
  expect(again.body["generation"]).toBe(2);
  expect((await r.task(lease, "renew", {})).body["code"]).toBe("runner_session_inactive");
  const token = again.body["claimToken"] as string;
  expect((await r.task(lease, "renew", {}, token)).status).toBe(200);
  expect((await r.task(lease, "complete", result(lease), token)).status).toBe(200);
  await p.until("one", "completed");
});

test("credentials that no heartbeat renews die; those that are renewed live until the session's own end", async () => {
  const p = await plane();
  const [silent, beating] = [await runner(p, "silent"), await runner(p, "beating")];
  for (let passed = 0; passed <= LIMITS.credentialMs; passed += 100_000) {
    p.clock.advance(100_000);
    const answer = await beat(p, beating);
    expect(answer.status).toBe(200);
    expect(Date.parse(answer.body["expiresAt"] as string)).toBe(p.clock.wall() + LIMITS.credentialMs);
  }
  expect((await beat(p, silent)).status).toBe(401);
  expect((await silent.claim()).status).toBe(401);
  expect((await beating.claim()).status).toBe(204);
  for (let passed = 0; passed < LIMITS.sessionMs; passed += 250_000) {
    p.clock.advance(250_000);
    // The controller looks for late snapshots once a second of the machine's own time: at any moment between these leaps.
    await p.store.write(askForSnapshots, { now: p.clock.wall(), limit: 10 });
    await beat(p, beating);
    await snapshot(p, beating);
  }
  expect((await beat(p, beating)).status).toBe(401);
  expect((await register(p, registration("beating"), beating.token)).body["generation"]).toBe(2);
});

test("a session that nobody renews is closed, and forgotten later; its runner is known by its key all the same", async () => {
  const p = await plane();
  const r = await runner(p);
  p.clock.advance(LIMITS.auditIntervalMs + 1);
  await p.store.write(askForSnapshots, { now: p.clock.wall(), limit: 10 });
  const actions = p.store.read(listAudit, { tenantId: "default", after: 0, limit: 10 });
  expect(actions.at(-1)).toMatchObject({ action: "session.expired", body: { runnerId: "r1" } });
  expect((await register(p, registration("r1"), r.token)).body["generation"]).toBe(2);
  p.clock.advance(8 * 86_400_000);
  expect(await p.store.write(forgetSessions, { before: p.clock.wall() - 86_400_000 })).toBe(1);
  expect((await r.claim()).body["code"]).toBe("unauthenticated");
  expect((await register(p, registration("r1"), r.token)).body["generation"]).toBe(3);
});

test("F22: a runner whose clock is hours off lives and dies by the server's", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  for (const timestamp of ["1999-01-01T00:00:00Z", "2199-01-01T00:00:00Z"]) {
    const answer = await beat(p, r, { timestamp });
    expect(Date.parse(answer.body["expiresAt"] as string)).toBe(p.clock.wall() + LIMITS.credentialMs);
  }
  const { lease } = await r.claim();
  const started = await r.started(lease, { startedAt: "2199-01-01T00:00:00Z" });
  expect(started.body["remainingMs"]).toBeLessThanOrEqual(LIMITS.leaseMs);
  p.clock.advance(LIMITS.credentialMs + 1);
  expect((await beat(p, r, { timestamp: "2199-01-01T00:00:00Z" })).status).toBe(401);
});

test("an enrolment token and a challenge that are too old are refused as unknown ones are", async () => {
  const p = await plane();
  const token = randomToken();
  await p.store.write(enrolRunner, {
    admission: {
      tenantId: "default",
      runnerId: "late",
      hostId: "h",
      runnerPools: ["default"],
      executionProfiles: ["default"],
      capabilities: [],
      slots: 1,
    },
    credential: { enrolmentHash: sha256(token), expiresAt: p.clock.wall() + LIMITS.enrolmentMs },
    actor: "test",
    now: p.clock.wall(),
  });
  const { challenge } = p.controller.challenges.issue(p.clock.wall());
  const signed = signRegistration({ ...registration("late"), challenge } as never, keyOf(token));
  p.clock.advance(LIMITS.challengeMs);
  const tooLate = await send(p.controller, "POST", "/runner/register", signed, token);
  p.clock.advance(LIMITS.enrolmentMs);
  const expired = await register(p, registration("late"), token);
  const unknown = await register(p, registration("late"), randomToken());
  expect(tooLate).toMatchObject({ status: 401, body: { code: "unauthenticated" } });
  expect([expired, unknown]).toEqual([tooLate, tooLate]);
});

test("SR-11.4: a runner that lives and does not answer an audit becomes suspicious, then is quarantined; one that is away is not", async () => {
  const p = await plane();
  const [r, away] = [await runner(p), await runner(p, "away")];
  const pass = async (ms: number) => {
    p.clock.advance(ms);
    await beat(p, r);
    await p.store.write(askForSnapshots, { now: p.clock.wall(), limit: 10 });
  };
  const actions = () =>
    p.store.read(listAudit, { tenantId: "default", after: 0, limit: 1000 }).map(({ action }) => action);
  while (p.clock.wall() < 1_780_000_000_000 + LIMITS.auditIntervalMs) {
    p.clock.advance(200_000);
    await beat(p, r);
  }
  await pass(0);
  expect((await beat(p, r)).body["directives"]).toEqual([{ kind: "audit" }]);
  await pass(LIMITS.auditAnswerMs + 1);
  expect(actions()).toContain("session.suspicious");
  expect((await r.claim()).body["code"]).toBe("runner_quarantined");
  await pass(LIMITS.auditAnswerMs + 1);
  expect(actions()).toContain("runner.quarantined");
  expect((await r.claim()).status).toBe(401);
  const quarantined = p.store.read(listOperatorTasks, { tenantId: "default", all: false });
  expect(quarantined.map(({ kind, subject }) => [kind, subject])).toEqual([
    ["runner_drift", "r1"],
    ["runner_quarantined", "r1"],
  ]);
  expect((await register(p, registration("away"), away.token)).status).toBe(200);
});

test("a runner whose hash has changed shows what it runs with within a minute, or is quarantined", async () => {
  const p = await plane();
  const r = await runner(p);
  const drifted = { configHash: `sha256:${"3".repeat(64)}` };
  expect((await beat(p, r, drifted)).body["directives"]).toEqual([{ kind: "audit" }]);
  p.clock.advance(LIMITS.auditAnswerMs + 1);
  await beat(p, r, drifted);
  await p.store.write(askForSnapshots, { now: p.clock.wall(), limit: 10 });
  expect((await beat(p, r, drifted)).status).toBe(401);
  expect((await register(p, registration("r1"), r.token)).body["code"]).toBe("registration_refused");
});

test("a snapshot that does not fit its own hash, or other hashes than the heartbeats', is a lie and quarantines", async () => {
  for (const lie of [{ commands: ["sh"] }, { configHash: `sha256:${"2".repeat(64)}` }] as JsonObject[]) {
    const p = await plane();
    const r = await runner(p);
    const verdict = await snapshot(p, r, lie);
    expect(verdict.body["verdict"]).toBe("mismatch");
    expect((await r.claim()).status).toBe(401);
  }
});

test("F33: a cancel between offer and start: the start is refused, and nothing runs", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  await p.orchestrator.cancel("default", "one", "asked to");
  await p.until("one", "cancelled");
  expect(await r.started(lease)).toMatchObject({ status: 410 });
});

test("F36: a cancel that races with a success: the first to be written counts, the other is a diagnosis", async () => {
  const p = await plane();
  for (const [id, first] of [
    ["cancel-first", "cancel"],
    ["success-first", "success"],
  ] as const) {
    await p.start(id, [{ work: shell() }]);
    const r = await runner(p, `r-${id}`);
    const { lease } = await r.claim();
    await r.started(lease);
    const cancel = () => p.orchestrator.cancel("default", id, "asked to");
    if (first === "cancel") {
      await cancel();
      await r.task(lease, "complete", result(lease));
      expect((await p.until(id, "cancelled")).status).toBe("cancelled");
    } else {
      expect((await r.task(lease, "complete", result(lease))).status).toBe(200);
      await p.until(id, "completed");
      await cancel().catch(() => {});
      expect(p.run(id).status).toBe("completed");
    }
  }
  const accepted = p.store
    .read(listAudit, { tenantId: "default", after: 0, limit: 1000 })
    .filter(({ action }) => action === "result.accepted");
  expect(accepted).toHaveLength(1);
});

test("F34, F38: a cancelled run tells the runner of each of its live attempts, with the fence that is to stop", async () => {
  const p = await plane();
  await p.start("one", [{ both: { fork: { branches: [{ a: shell() }, { b: shell() }] } } }]);
  const r = await runner(p);
  const leases = [(await r.claim()).lease, (await r.claim()).lease];
  for (const lease of leases) await r.started(lease);
  await p.orchestrator.cancel("default", "one", "no longer wanted");
  await until(() => cancelsOf(p, r.session.sessionId).length === 2);
  const told = cancelsOf(p, r.session.sessionId);
  expect(told.map(({ leaseId }) => leaseId).sort()).toEqual(leases.map(({ leaseId }) => leaseId).sort());
  const answer = await beat(p, r);
  expect((answer.body["directives"] as unknown[]).length).toBe(2);
});

test("F39: a task that ran out of time in the queue is never offered", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  p.clock.advance(LIMITS.queueTimeoutMs + 1);
  await p.until("one", "faulted");
  const r = await runner(p);
  expect((await r.claim()).status).toBe(204);
  expect(stateOf(p, "one")).toMatchObject({ error: { data: { code: "execution_queue_timeout" } } });
});

test("whatever was refused, the chain of each tenant holds, and refusals changed no lease", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  for (const wrong of [{ attempt: 9 }, { fencingToken: 9 }, { nonce: "x" }] as JsonObject[]) {
    expect((await r.started(lease, wrong)).status).toBe(422);
  }
  const refused = p.store
    .read(listAudit, { tenantId: "default", after: 0, limit: 100 })
    .filter(({ action }) => action === "message.refused");
  expect(refused.map(({ body }) => body["code"])).toEqual(Array(3).fill("identity_mismatch"));
  expect((await r.started(lease)).status).toBe(200);
  expect(p.store.read(verifyAudit, { tenantId: "default" }).brokenAt).toBeNull();
});
