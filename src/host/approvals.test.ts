import { expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import {
  audit,
  documentOf,
  type Plane,
  plane,
  result,
  runner,
  shell,
} from "../../test/support/control-plane.ts";
import { digestOf } from "../base/canonical.ts";
import type { JsonObject } from "../base/json.ts";
import { callOperation, localPrincipal, type ServiceContext, service } from "../service/index.ts";
import { consumeApproval } from "../store/approvals/decide.ts";
import {
  listApprovals,
  listOperatorTasks,
  noteUpload,
  publishPolicyObject,
  readApproval,
  verifyAudit,
} from "../store/index.ts";

const DAY = 86_400_000;

const needsApproval = (security: JsonObject = {}, light: JsonObject = {}): JsonObject =>
  shell({ ...light, security: { approvalRequired: true, ...security } });

const waiting = (p: Plane) => p.store.read(listApprovals, { tenantId: "default", all: false, limit: 10 });
const all = (p: Plane) => p.store.read(listApprovals, { tenantId: "default", all: true, limit: 10 });
const decide = (
  p: Plane,
  decision: "approve" | "reject",
  by: { actor?: string; roles?: string[]; approval?: string } = {},
) =>
  p.orchestrator.decideApproval({
    tenantId: "default",
    approvalId: by.approval ?? waiting(p)[0]!.id,
    decision,
    actor: by.actor ?? "token:boss",
    roles: by.roles ?? ["approver"],
    note: "",
  });
const start = (p: Plane, runId: string, tasks: JsonObject[], by = "token:author", input: JsonObject = {}) =>
  p.startDocument(runId, documentOf(tasks), { input, options: { by } });
const errorOf = (row: { snapshot: string }) =>
  (JSON.parse(row.snapshot) as { error: { type: string; detail: string; data: JsonObject } }).error;
const actions = (p: Plane) =>
  audit(p)
    .map(({ action }) => action)
    .filter((action) => action.startsWith("approval."));

test("SR-10.1, SR-10.6: what needs an approval waits outside the queue: no request, no lease, nothing to claim", async () => {
  const p = await plane();
  await start(p, "one", [{ release: needsApproval() }]);
  const r = await runner(p);
  expect((await r.claim()).status).toBe(204);
  expect(p.run("one").status).toBe("waiting");
  const [approval] = waiting(p);
  expect(approval).toMatchObject({
    state: "requested",
    requester: "token:author",
    step_id: "release",
    binding: { operations: ["run"], policyDigest: p.run("one").policy_digest, template: null },
  });
  expect(approval!.expires_at - approval!.created_at).toBe(DAY);
  expect(p.store.read(listOperatorTasks, { tenantId: "default", all: false })).toMatchObject([
    { kind: "approval", subject: `approval:${approval!.id}` },
  ]);
  const context = {
    views: p.store,
    clock: p.clock,
    principal: localPrincipal("default"),
  } as unknown as ServiceContext;
  const why = (task: string) => callOperation(service.explainTask, context, { task });
  await expect(why("one/release")).rejects.toThrow("one/release waits for an approval");
  await expect(why("one")).rejects.toThrow("waits for an approval");
  await expect(why("another")).rejects.toThrow("was ever queued");
});

test("SR-12.4: approving makes one attempt, whose lease, result and audit name the approval; the inbox is empty again", async () => {
  const p = await plane();
  await start(p, "one", [{ release: needsApproval() }]);
  const { id } = waiting(p)[0]!;
  await decide(p, "approve");
  const r = await runner(p);
  const { lease } = await r.claim();
  expect(lease.approvalRefs).toEqual([id]);
  await r.started(lease);
  expect(p.store.read(readApproval, { tenantId: "default", approvalId: id }).state).toBe("consumed");
  const { approvalRefs: _, ...without } = result(lease) as JsonObject;
  expect((await r.task(lease, "complete", without)).status).toBe(422);
  expect((await r.task(lease, "complete", result(lease))).status).toBe(200);
  await p.until("one", "completed");
  const accepted = audit(p).find(({ action }) => action === "result.accepted");
  expect(accepted!.body["approvalRefs"]).toEqual([id]);
  expect(actions(p)).toEqual(["approval.requested", "approval.approved"]);
  expect(p.store.read(listOperatorTasks, { tenantId: "default", all: false })).toEqual([]);
  expect(p.store.read(verifyAudit, { tenantId: "default" })).toMatchObject({ brokenAt: null });
});

test("SR-10.3: two approvers at once: one wins, the other is refused, and there is one request", async () => {
  const p = await plane();
  await start(p, "one", [{ release: needsApproval() }]);
  const { id } = waiting(p)[0]!;
  const answers = await Promise.allSettled(
    ["token:a", "token:b"].map((actor) => decide(p, "approve", { actor, approval: id })),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  await expect(decide(p, "reject", { approval: id })).rejects.toThrow("is approved by token:");
  const r = await runner(p);
  expect((await r.claim()).status).toBe(200);
  expect((await r.claim()).status).toBe(204);
});

test("SR-10.2: who lacks the role, or started the run where policy separates duties, cannot approve; it is audited", async () => {
  const p = await plane();
  await start(p, "one", [{ release: needsApproval({ approvalSeparation: true }) }]);
  await expect(decide(p, "approve", { roles: [] })).rejects.toThrow("has none of the roles");
  await expect(decide(p, "approve", { roles: ["viewer"] })).rejects.toThrow("has none of the roles");
  await expect(decide(p, "approve", { actor: "token:author" })).rejects.toThrow("somebody else has to");
  expect(actions(p).filter((each) => each === "approval.refused")).toHaveLength(3);
  await decide(p, "approve");
  expect(waiting(p)).toEqual([]);
});

test("SR-10.4: an approval whose time is over is not given, though nobody has swept it up yet", async () => {
  const p = await plane();
  await start(p, "one", [{ release: needsApproval() }]);
  const { id } = waiting(p)[0]!;
  // Nothing looks at the clock any more but what is asked.
  p.orchestrator.stop();
  p.clock.advance(DAY);
  await expect(decide(p, "approve", { approval: id })).rejects.toMatchObject({ code: "approval_expired" });
  expect(all(p)).toMatchObject([{ id, state: "expired" }]);
});

test("SR-10.3: an approval is used up by one attempt, and by no second one", async () => {
  const p = await plane();
  await start(p, "one", [{ release: needsApproval() }]);
  const { id } = waiting(p)[0]!;
  const consume = () => p.store.write((tx) => consumeApproval(tx, id, p.clock.wall()), null);
  await expect(consume()).rejects.toThrow("is requested");
  await decide(p, "approve");
  await consume();
  await expect(consume()).rejects.toThrow("is consumed");
});

test("roles that a layer names are the only ones", async () => {
  const p = await plane();
  await start(p, "one", [{ release: needsApproval({ allow: { approvers: ["release-manager"] } }) }]);
  await expect(decide(p, "approve", { roles: ["admin", "approver"] })).rejects.toThrow("release-manager");
  await decide(p, "approve", { roles: ["release-manager"] });
});

test("a rejection is an error that the workflow catches by its type", async () => {
  const p = await plane();
  const type = "https://agentic-workflow.org/errors/approval-rejected";
  await start(p, "one", [
    {
      guarded: {
        try: [{ release: needsApproval() }],
        catch: {
          errors: { with: { type } },
          as: "error",
          do: [{ note: { set: { why: "${ $error.detail }" } } }],
        },
      },
    },
  ]);
  await p.orchestrator.decideApproval({
    tenantId: "default",
    approvalId: waiting(p)[0]!.id,
    decision: "reject",
    actor: "token:boss",
    roles: ["approver"],
    note: "not on a Friday",
  });
  const row = await p.until("one", "completed");
  expect((JSON.parse(row.snapshot) as { output: JsonObject }).output).toEqual({
    why: "token:boss rejected it: not on a Friday",
  });
});

test("SR-10.4: nobody approves in time: the step fails, and approving afterwards is refused", async () => {
  const p = await plane();
  await start(p, "one", [{ release: needsApproval({ limits: { approvalTtlMs: 60_000 } }) }]);
  const { id } = waiting(p)[0]!;
  p.clock.advance(60_001);
  expect(errorOf(await p.until("one", "faulted"))).toMatchObject({ data: { code: "approval_expired" } });
  await expect(decide(p, "approve", { approval: id })).rejects.toThrow("is expired");
});

test("a time that nobody could keep, or nobody would remember, is refused", async () => {
  const p = await plane();
  const task = needsApproval({ limits: { approvalTtlMs: 59_999 } });
  await expect(start(p, "one", [{ release: task }])).rejects.toThrow("60 to 604800 s, not 59.999 s");
});

test("F54: an approval that runs out between the click and the attempt starts nothing", async () => {
  const p = await plane();
  await start(p, "queued", [{ release: needsApproval({ limits: { approvalTtlMs: 60_000 } }) }]);
  await decide(p, "approve");
  p.clock.advance(60_001);
  expect(errorOf(await p.until("queued", "faulted")).data["code"]).toBe("approval_expired");

  await start(p, "leased", [{ release: needsApproval({ limits: { approvalTtlMs: 60_000 } }) }]);
  const { id } = waiting(p)[0]!;
  await decide(p, "approve");
  p.clock.advance(50_000);
  const r = await runner(p);
  const { lease } = await r.claim();
  p.clock.advance(10_001);
  expect(await r.started(lease)).toMatchObject({ status: 410, body: { code: "approval_expired" } });
  expect(p.store.read(readApproval, { tenantId: "default", approvalId: id }).state).toBe("approved");
});

test("SR-10.2: an artifact whose bytes are others now, or gone, makes the approval invalid", async () => {
  const p = await plane();
  for (const [run, spoil] of [
    ["changed", (path: string) => writeFileSync(path, "evil")],
    ["gone", (path: string) => rmSync(path)],
  ] as const) {
    const { sha256 } = await p.artifacts.put(new TextEncoder().encode(run));
    await p.store.write(noteUpload, {
      ...{ tenantId: "default", sha256, size: run.length, media_type: "text/plain", name: null },
      ...{ actor: "user:1", now: 1, retentionMs: null },
    });
    await start(p, run, [{ release: needsApproval({}, { files: [`sha256:${sha256}`] }) }]);
    expect(waiting(p)[0]!.binding.artifacts).toEqual([`sha256:${sha256}`]);
    spoil(p.artifacts.path(sha256));
    await expect(decide(p, "approve")).rejects.toThrow("is not what it was");
    expect(errorOf(await p.until(run, "faulted")).data["code"]).toBe("approval_invalid");
  }
});

test("SR-10.2: policy that changed since makes the approval invalid", async () => {
  const p = await plane();
  await start(p, "one", [{ release: needsApproval() }]);
  await p.store.write(publishPolicyObject, {
    kind: "tenant-policy",
    id: "default",
    body: { policy: { network: "deny-all" } },
    actor: "user:1",
    tenantId: "default",
    now: p.clock.wall(),
  });
  await expect(decide(p, "approve")).rejects.toThrow("policy has changed");
  expect(errorOf(await p.until("one", "faulted")).data["code"]).toBe("approval_invalid");
});

test("SR-10.7: after an attempt of unknown outcome a retry takes a new approval", async () => {
  const p = await plane();
  await start(p, "one", [{ release: needsApproval({}, { repeatable: true }) }]);
  const first = waiting(p)[0]!.id;
  await decide(p, "approve");
  const r = await runner(p);
  const { lease } = await r.claim();
  await r.started(lease);
  await r.task(lease, "fail", result(lease, { status: "unknown", errorCode: "execution_outcome_unknown" }));
  // Although the step may be repeated: what was agreed to was one attempt.
  expect((await r.claim()).status).toBe(204);
  const resolve = () =>
    p.orchestrator.resolveAttempt({
      tenantId: "default",
      attempt: lease.leaseId,
      as: "retry",
      output: null,
      note: "",
      actor: "user:1",
    });
  await resolve();
  expect((await r.claim()).status).toBe(204);
  const second = waiting(p)[0]!.id;
  expect(second).not.toBe(first);
  await expect(decide(p, "approve", { approval: first })).rejects.toThrow("is consumed");
  await decide(p, "approve");
  const again = await r.claim();
  expect(again.lease).toMatchObject({ attempt: 2, fencingToken: 2, approvalRefs: [second] });
});

test("a cancelled run withdraws what it asked for", async () => {
  const p = await plane();
  await start(p, "one", [{ release: needsApproval() }]);
  await p.orchestrator.cancel("default", "one", "no more");
  expect(all(p)).toMatchObject([{ state: "withdrawn" }]);
  expect(p.store.read(listOperatorTasks, { tenantId: "default", all: false })).toEqual([]);
});

test("a call that says that it publishes waits for an approval too, and is made once it is given", async () => {
  const p = await plane();
  let calls = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => {
      calls++;
      return new Response("done");
    },
  });
  try {
    await start(p, "one", [
      {
        announce: {
          call: "http",
          with: { method: "post", endpoint: server.url.href },
          metadata: {
            lightWorkflow: {
              security: { allow: { actions: ["publish"] } },
              approval: { target: "the registry" },
            },
          },
        },
      },
    ]);
    expect(waiting(p)).toMatchObject([
      { kind: "call", binding: { operations: ["publish"], target: "the registry", artifacts: [] } },
    ]);
    expect(calls).toBe(0);
    await decide(p, "approve");
    // The orchestrator of this test calls the public Internet only: that it was tried is what counts here.
    expect(errorOf(await p.until("one", "faulted")).detail).toContain("127.0.0.1");
    expect(all(p)).toMatchObject([{ state: "consumed" }]);
  } finally {
    await server.stop(true);
  }
});

test("an artifact of another tenant is none: approving does not say whether it exists", async () => {
  const p = await plane();
  const { sha256 } = await p.artifacts.put(new TextEncoder().encode("somebody else's"));
  for (const [run, digest] of [
    ["there", sha256],
    ["nowhere", "0".repeat(64)],
  ] as const) {
    await start(p, run, [{ release: needsApproval({}, { files: [`sha256:${digest}`] }) }]);
    await expect(decide(p, "approve")).rejects.toThrow(`the artifact sha256:${digest} is not what it was`);
  }
});

test("a question that is assigned to a role is answered by whoever has it, or by an administrator", async () => {
  const p = await plane();
  const ask = { ask: { prompt: "Go on?", assignment: { roleId: "operator" } } };
  for (const [run, roles] of [
    ["one", ["operator"]],
    ["two", ["admin"]],
  ] as const) {
    await start(p, run, [{ sure: ask }]);
    const [task] = p.store.read(listOperatorTasks, { tenantId: "default", all: false });
    const answer = (...by: string[]) =>
      p.orchestrator.answer("default", task!.id, "yes", "token:somebody", by);
    await expect(answer("approver")).rejects.toThrow("the question is for the role operator");
    await answer(...roles);
    await p.until(run, "completed");
  }
});

test("a run that is tried again does not publish again what it has published", async () => {
  const p = await plane();
  const tasks: JsonObject[] = [{ release: needsApproval() }];
  const document: JsonObject = {
    document: { dsl: "1.0.3", namespace: "t", name: "t", version: "1.0.0" },
    do: tasks,
  };
  await p.orchestrator.start({
    ...{ tenantId: "default", runId: "again", idempotent: false, sourceEventId: null },
    ...{ workflow: "t", assetId: null, document, digest: digestOf(document), input: {} },
    options: { by: "user:1", reuses: true },
    reuse: [{ reference: "/do/0/release", output: { stdout: "published" } }],
  });
  expect(all(p)).toEqual([]);
  expect(p.run("again").status).toBe("completed");
});
