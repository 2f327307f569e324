import { describe, expect, test } from "bun:test";
import { audit, events, type Plane, plane, result, runner } from "../../test/support/control-plane.ts";
import type { JsonObject } from "../base/json.ts";
import type { PolicyLayer } from "../policy/index.ts";
import type { Lease } from "../protocol/index.ts";
import { publishPolicyObject } from "../store/index.ts";

const BUBBLEWRAP = {
  provider: "bubblewrap",
  template: "bubblewrap-1",
  boundary: "user-namespace",
  features: [],
};
const PROCESS = { provider: "process", template: "process", boundary: "process", features: [] };
const ALL_MODES = ["none", "workflow-session", "per-agent-call", "per-publish"];

/** A runner that offers what it is told to, and says what it is told to say. */
async function runnerWith(p: Plane, sandbox: JsonObject) {
  const { claim, task, started } = await runner(p, "r1", "default", ["default"], { sandbox });
  return {
    claim,
    task,
    started: (lease: Lease, sandbox?: string) => started(lease, sandbox === undefined ? {} : { sandbox }),
  };
}

const bodies = (p: Plane, action: string) => audit(p, action).map(({ body }) => body);

const command = (light: JsonObject = {}, environment: JsonObject = {}): JsonObject => ({
  run: { shell: { command: "true", environment } },
  metadata: { lightWorkflow: light },
});
const mode = (name: string) => ({ security: { sandbox: { mode: name } } });

describe("RN-44: each isolation level has its default", () => {
  for (const [what, task, level, persistence] of [
    ["an ordinary command", command(), "none", "session"],
    [
      "a command that asks for a session's sandbox",
      command(mode("workflow-session")),
      "workflow-session",
      "session",
    ],
    ["a command that asks for one of its own", command(mode("per-agent-call")), "per-agent-call", "session"],
    ...["publish", "sign", "tag"].map(
      (action) =>
        [
          `a command that says ${action}`,
          command({ security: { allow: { actions: [action] } } }),
          "per-publish",
          "ephemeral",
        ] as const,
    ),
  ] as const) {
    test(`${what}: ${level}`, async () => {
      const p = await plane();
      await p.start("one", [{ work: task }]);
      if (level === "per-publish") {
        // Nothing is leased before a person agreed; with a session's workspace it is refused at once.
        const shared = command({
          ...(task["metadata"] as { lightWorkflow: JsonObject }).lightWorkflow,
          workspace: "session",
        });
        await p.start("two", [{ work: shared }]);
        expect((await p.until("two", "faulted")).snapshot).toContain("persistence is ephemeral");
        expect(persistence).toBe("ephemeral");
        const r = await runnerWith(p, { modes: ALL_MODES, providers: [BUBBLEWRAP] });
        expect((await r.claim()).status).toBe(204);
        return;
      }
      const r = await runnerWith(p, { modes: ALL_MODES, providers: [BUBBLEWRAP] });
      expect((await r.claim()).body).toMatchObject({ sandbox: { mode: level } });
    });
  }
});

describe("RN-45: the chosen isolation is recorded and enforced by the control plane", () => {
  test("the lease, the result, the run's events and the audit say the same", async () => {
    const p = await plane();
    await p.start("one", [{ work: command({ ...mode("per-agent-call"), network: "open" }) }]);
    const r = await runnerWith(p, { modes: ALL_MODES, providers: [BUBBLEWRAP, PROCESS] });
    const lease = (await r.claim()).body as unknown as Lease;
    expect(lease.sandbox).toEqual({ mode: "per-agent-call" });
    expect((await r.started(lease, "bubblewrap")).status).toBe(200);
    const sandbox = { provider: "bubblewrap", boundary: "user-namespace", mode: "per-agent-call" };
    expect((await r.task(lease, "complete", result(lease, { sandbox }))).status).toBe(200);
    await p.until("one", "completed");
    expect(bodies(p, "lease.issued")).toMatchObject([
      { isolation: { mode: "per-agent-call", network: "open", workspace: { mode: "ephemeral" } } },
    ]);
    expect(bodies(p, "result.accepted")).toMatchObject([{ isolation: sandbox }]);
    const finished = events(p, "one").find(({ event }) => event === "step.attempt_finished");
    expect(finished?.detail).toMatchObject({ isolation: sandbox });
  });

  test("a task is not started, and its result not taken, in a weaker sandbox than its lease's", async () => {
    const p = await plane();
    await p.start("one", [
      { work: command({ security: { sandbox: { mode: "per-agent-call" }, boundary: "user-namespace" } }) },
    ]);
    const r = await runnerWith(p, { modes: ALL_MODES, providers: [BUBBLEWRAP, PROCESS] });
    const lease = (await r.claim()).body as unknown as Lease;
    const weak = { status: 403, body: { code: "boundary_too_weak" } };
    // Nothing said, a plain process, and one that was never approved.
    for (const said of [undefined, "process", "cubesandbox"])
      expect([said, await r.started(lease, said)]).toMatchObject([said, weak]);
    expect((await r.started(lease, "bubblewrap")).status).toBe(200);
    for (const sandbox of [
      { provider: "process", boundary: "process", mode: "per-agent-call" },
      { provider: "bubblewrap", boundary: "process", mode: "per-agent-call" },
      { provider: "bubblewrap", boundary: "user-namespace", mode: "none" },
    ])
      expect([sandbox, await r.task(lease, "complete", result(lease, { sandbox }))]).toMatchObject([
        sandbox,
        weak,
      ]);
    const sandbox = { provider: "bubblewrap", boundary: "user-namespace", mode: "per-agent-call" };
    expect((await r.task(lease, "complete", result(lease, { sandbox }))).status).toBe(200);
    await p.until("one", "completed");
  });

  test("a runner that does not offer the level gets no lease of it", async () => {
    const p = await plane();
    await p.start("one", [{ work: command(mode("per-agent-call")) }]);
    const r = await runnerWith(p, { modes: ["none"], providers: [PROCESS] });
    expect((await r.claim()).status).toBe(204);
    expect(bodies(p, "lease.denied")).toMatchObject([{ reason: "boundary_too_weak" }]);
  });
});

describe("RN-69: what a task sees of the host is copied before it is changed", () => {
  const publish = (p: Plane, more: PolicyLayer) =>
    p.store.write(publishPolicyObject, {
      kind: "tenant-policy",
      id: "default",
      body: { policy: more as JsonObject },
      actor: "user:1",
      tenantId: "default",
      now: p.clock.wall(),
    });
  const leaseOf = async (p: Plane, light: JsonObject, environment: JsonObject = {}) => {
    await p.start("one", [{ work: command(light, environment) }]);
    const r = await runnerWith(p, { modes: ALL_MODES, providers: [BUBBLEWRAP] });
    return (await r.claim()).body as unknown as Lease;
  };

  test("the lease names the directory, the session that takes it over, and how long it is kept", async () => {
    const p = await plane();
    await publish(p, { afterTask: "destroy" });
    const lease = await leaseOf(p, { workspace: { copyOnWrite: "/srv/app", commit: true } });
    expect(lease.workspace).toEqual({
      mode: "ephemeral",
      key: expect.any(String),
      copyOf: { path: "/srv/app" },
      commitTo: lease.wfInstanceId,
    });
    expect(lease.freeze).toBeUndefined();
    expect(lease.mounts).toEqual([]);
    expect(bodies(p, "lease.issued")).toMatchObject([
      { isolation: { workspace: { copyOf: { path: "/srv/app" }, commitTo: lease.wfInstanceId } } },
    ]);
  });

  for (const [what, policy, light, environment, why] of [
    ["writes to the host", {}, { mounts: [{ source: "/srv/app", readOnly: false }] }, {}, "for writing"],
    [
      "copies what policy does not show",
      { allow: { mounts: ["/data"] } },
      { workspace: { copyOnWrite: "/srv" } },
      {},
      "not a path that policy allows",
    ],
    [
      "copies where policy shows nothing",
      { hostExposure: "none" },
      { workspace: { copyOnWrite: "/srv" } },
      {},
      "profile does not allow",
    ],
    [
      "copies a path with dots",
      {},
      { workspace: { copyOnWrite: "/srv/../etc" } },
      {},
      "not an absolute path",
    ],
    ["copies a relative path", {}, { workspace: { copyOnWrite: "srv" } }, {}, "not an absolute path"],
    [
      "would leave a session what nothing may persist of",
      { persistence: "ephemeral" },
      { workspace: { copyOnWrite: "/srv", commit: true } },
      {},
      "persistence",
    ],
    [
      "would leave a session what it did with a secret",
      {},
      { workspace: { copyOnWrite: "session", commit: true } },
      { T: "runner-secret://t" },
      "a task with secrets",
    ],
  ] as const) {
    test(`a task that ${what} is refused`, async () => {
      const p = await plane();
      await publish(p, policy as unknown as PolicyLayer);
      await p.start("one", [{ work: command(light as unknown as JsonObject, environment) }]);
      expect((await p.until("one", "faulted")).snapshot).toContain(why);
    });
  }
});

describe("RN-47: what becomes of a task's sandbox is policy's word", () => {
  const profile = (policy: PolicyLayer): PolicyLayer => ({
    approvalRequired: false,
    sandboxMode: "none",
    boundary: "process",
    directCommands: true,
    secretPolicy: "task-scoped",
    ...policy,
    allow: { runnerPools: ["default"], executables: ["/"], environmentNames: ["*"] },
  });
  for (const [what, policy, asked, environment, freeze] of [
    ["a profile that says nothing", {}, {}, {}, undefined],
    [
      "one that keeps all",
      { afterTask: "freeze", limits: { frozenMs: 5000 } },
      {},
      {},
      { when: "always", forMs: 5000 },
    ],
    ["one without a time", { afterTask: "freeze-failed" }, {}, {}, { when: "failed", forMs: 86_400_000 }],
    [
      "a task that asks for less",
      { afterTask: "freeze" },
      { afterTask: "freeze-failed", limits: { frozenMs: 1000 } },
      {},
      { when: "failed", forMs: 1000 },
    ],
    ["a task with a secret", { afterTask: "freeze" }, {}, { T: "runner-secret://t" }, undefined],
  ] as const) {
    test(`${what}: ${freeze === undefined ? "destroyed" : `frozen, ${freeze.when}`}`, async () => {
      const p = await plane();
      await p.store.write(publishPolicyObject, {
        kind: "profile",
        id: "default",
        body: { id: "default", policy: profile(policy as unknown as PolicyLayer) as JsonObject },
        actor: "user:1",
        tenantId: "default",
        now: p.clock.wall(),
      });
      await p.start("one", [{ work: command({ security: asked } as unknown as JsonObject, environment) }]);
      const r = await runnerWith(p, { modes: ALL_MODES, providers: [BUBBLEWRAP, PROCESS] });
      const { status, body } = await r.claim();
      expect([status, body?.["freeze"]]).toEqual([200, freeze as never]);
    });
  }

  test("a task that asks for more than its profile keeps is refused", async () => {
    const p = await plane();
    await expect(p.start("one", [{ work: command({ security: { afterTask: "freeze" } }) }])).rejects.toThrow(
      "afterTask",
    );
  });
});
