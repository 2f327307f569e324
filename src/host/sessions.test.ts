import { expect, test } from "bun:test";
import {
  audit,
  beat,
  claimOf,
  DIGEST,
  enrol,
  hands,
  NO_COMMANDS,
  plane,
  register,
  registration,
  result,
  runner,
  send,
  shell,
} from "../../test/support/control-plane.ts";
import { newId, randomToken } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import { handleRunner } from "../controller/index.ts";
import type { RegistrationAccepted } from "../protocol/index.ts";
import { forgetSessions, listOperatorTasks } from "../store/index.ts";

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

test("SR-1: no credential, a foreign one, one of the other kind and one of a closed session are refused", async () => {
  const p = await plane();
  const r = await runner(p);
  const claim = claimOf("r1", r.session);
  expect((await send(p.controller, "POST", "/runner/claim", claim, null)).status).toBe(401);
  expect((await send(p.controller, "POST", "/runner/claim", claim, randomToken())).status).toBe(401);
  expect((await send(p.controller, "POST", "/runner/claim", claim, r.session.heartbeatToken)).status).toBe(
    403,
  );
  expect((await register(p, registration("r1"), randomToken())).status).toBe(401);
  for (const lie of [{ tenantId: "tenant-b" }, { runnerId: "r2" }, { hostId: "elsewhere" }] as JsonObject[]) {
    const refused = await register(p, registration("r1", lie), r.token);
    expect(refused).toMatchObject({ status: 403, body: { code: "registration_refused" } });
  }
  expect(audit(p).filter(({ body }) => body["code"] === "registration_refused")).toHaveLength(3);
  const again = await register(p, registration("r1"), r.token);
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
  const answer = await register(p, wide, token);
  expect(answer.body["effective"]).toEqual({
    runnerPools: ["default"],
    executionProfiles: ["default"],
    capabilities: ["git"],
    sandboxModes: ["none"],
    modelProviderScopes: [],
    slots: 2,
  });
  await p.start("one", [{ work: shell({ runner: { capabilities: ["docker"] } }) }]);
  const session = answer.body as unknown as RegistrationAccepted;
  expect((await hands(p, "greedy", session).claim()).status).toBe(204);
});

test("SR-11.1: a changed hash makes the session suspicious: no new lease, one audit event", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  await beat(p, r, { configHash: `sha256:${"1".repeat(64)}` });
  expect(await r.claim()).toMatchObject({ status: 403, body: { code: "runner_quarantined" } });
  expect(audit(p, "session.suspicious")).toHaveLength(1);
});

test("F52: a draining runner gets no lease, and may end the one it has", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  await p.start("two", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  await r.started(lease);
  expect((await r.drain()).status).toBe(200);
  expect(await r.claim()).toMatchObject({ status: 403, body: { code: "runner_draining" } });
  await r.task(lease, "complete", result(lease));
  await p.until("one", "completed");
});

test("a claim that waits when its runner begins to drain ends without work, and is no refusal", async () => {
  const p = await plane();
  const r = await runner(p);
  const waiting = r.claim(5_000);
  expect((await r.claim(0)).status).toBe(204);
  expect((await r.drain()).status).toBe(200);
  expect((await waiting).status).toBe(204);
  expect(audit(p, "message.refused")).toEqual([]);
  expect((await r.claim()).status).toBe(403);
  expect(audit(p, "message.refused")).toHaveLength(1);
});

test("what kept a task from a session is forgotten with the session", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell({ runner: { capabilities: ["docker"] } }) }]);
  const first = await runner(p, "gone");
  expect((await first.claim()).status).toBe(204);
  const noted = () => p.store.read((tx) => tx.all("SELECT runner_id FROM denial"), null);
  expect(noted()).toEqual([{ runner_id: "gone" }]);
  // A new session takes its place, and is kept from it too.
  const again = await register(p, registration("gone"), first.token);
  expect((await hands(p, "gone", again.body as unknown as RegistrationAccepted).claim()).status).toBe(204);
  expect(noted()).toHaveLength(2);
  expect(await p.store.write(forgetSessions, { before: p.clock.wall() + 1 })).toBe(1);
  expect(noted()).toHaveLength(1);
});

test("X.8, X.9: another major, unknown fields, duplicate keys, a wrong type and oversize bodies are refused", async () => {
  const p = await plane();
  const r = await runner(p);
  const claim = claimOf("r1", r.session);
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

test("SR-5.8: a step that needs an isolation which a runner did not prove waits for one that did", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell({ security: { sandbox: { mode: "per-agent-call" } } }) }]);
  const weak = await runner(p, "weak");
  expect((await weak.claim()).status).toBe(204);
  const token = await enrol(p, "strong");
  const proven = { provider: "bubblewrap", template: "default", boundary: "process", features: [] };
  const strong = registration("strong", {
    sandbox: { modes: ["none", "per-agent-call"], providers: [proven] },
  });
  const session = (await register(p, strong, token)).body as unknown as RegistrationAccepted;
  expect((await hands(p, "strong", session).claim()).body).toMatchObject({
    taskId: "work",
    sandbox: { mode: "per-agent-call" },
  });
});

test("a runner holds no more leases than the slots that were approved for it", async () => {
  const p = await plane();
  for (const id of ["one", "two", "three"]) await p.start(id, [{ work: shell() }]);
  const r = await runner(p);
  expect([(await r.claim()).status, (await r.claim()).status, (await r.claim()).status]).toEqual([
    200, 200, 204,
  ]);
});

test("SR-11.2: a snapshot that differs from the approved one quarantines: session, credential, leases, audit, task", async () => {
  const p = await plane();
  await p.start("one", [{ work: shell() }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  await r.started(lease);
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
    commandAllowlistHash: NO_COMMANDS,
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
  expect(await r.claim()).toMatchObject({ status: 401, body: { code: "runner_session_inactive" } });
  expect((await beat(p, r)).status).toBe(401);
  const late = await r.task(lease, "complete", result(lease));
  expect(late).toMatchObject({ status: 410, body: { code: "lease_revoked" } });
  const actions = audit(p);
  const from = actions.findIndex(({ action }) => action === "snapshot.mismatch");
  expect(actions.slice(from, from + 3).map(({ action }) => action)).toEqual([
    "snapshot.mismatch",
    "lease.fenced",
    "runner.quarantined",
  ]);
  const again = await register(p, registration("r1"), r.token);
  expect(again).toMatchObject({ status: 403, body: { code: "registration_refused" } });
  const kinds = p.store.read(listOperatorTasks, { tenantId: "default", all: false }).map(({ kind }) => kind);
  expect(kinds).toEqual(["outcome_unknown", "runner_quarantined"]);
});
