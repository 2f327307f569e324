import { expect, test } from "bun:test";
import { builder, errorOf, onBuild, PROFILE, startOnBuild } from "../../test/support/build-profile.ts";
import {
  audit,
  beat,
  type Plane,
  plane,
  publish,
  result,
  runner,
  shell,
} from "../../test/support/control-plane.ts";
import type { JsonObject } from "../base/json.ts";
import { type PolicyLayer, refuseUnheld } from "../policy/index.ts";
import {
  type PolicyKind,
  policyGeneration,
  readShares,
  revokePolicyObject,
  verifyAudit,
  viewQueue,
} from "../store/index.ts";

const revoke = (p: Plane, kind: PolicyKind, id: string, version: number | null = null) =>
  p.store.write(revokePolicyObject, {
    kind,
    id,
    version,
    reason: "a key leaked",
    actor: "user:1",
    tenantId: "default",
    now: p.clock.wall(),
  });

test("a version is immutable: the same again is the same, another content the next version", async () => {
  const p = await plane();
  const before = p.store.read(policyGeneration, null);
  expect(await publish(p, "profile", "build", PROFILE())).toMatchObject({ version: 1, created: true });
  expect(await publish(p, "profile", "build", PROFILE())).toMatchObject({ version: 1, created: false });
  expect(await publish(p, "profile", "build", PROFILE({ network: "open" }))).toMatchObject({
    version: 2,
    created: true,
  });
  expect(p.store.read(policyGeneration, null)).toBe(before + 2);
  expect(audit(p)).toMatchObject([
    { action: "profile.published", object: "profile:build@1", actor: "user:1" },
    { action: "profile.published", object: "profile:build@2" },
  ]);
});

test("SR-5.5: a running instance keeps the profile that it was started with, a new one gets the new version", async () => {
  const p = await plane();
  await publish(p, "profile", "build", PROFILE());
  const two: JsonObject[] = [{ one: shell() }, { two: shell({ network: "open" }) }];
  // The second task asks for a network that the first version does not give.
  await expect(startOnBuild(p, "refused", two)).rejects.toThrow("/do/1/two: the task asks for network open");
  await startOnBuild(p, "old", [{ one: shell() }]);
  await publish(p, "profile", "build", PROFILE({ network: "open" }));
  await startOnBuild(p, "new", two);
  const versions = ["old", "new"].map((id) => p.run(id).policy_digest);
  expect(versions[0]).not.toBe(versions[1]);
  const r = await builder(p);
  const first = await r.claim();
  expect(first.lease).toMatchObject({
    executionProfile: "build",
    executionProfileVersion: 1,
    policyDigest: versions[0],
  });
  const second = await r.claim();
  expect(second.lease).toMatchObject({ executionProfileVersion: 2, policyDigest: versions[1] });
});

test("SR-5.6: a revoked profile gives no new attempt, and live ones are fenced, told to stop and audited", async () => {
  const p = await plane();
  await publish(p, "profile", "build", PROFILE());
  for (const id of ["live", "queued", "later"])
    await startOnBuild(p, id, [{ one: shell() }, { two: shell() }]);
  await p.start("other", [{ one: shell() }]);
  const r = await builder(p);
  const { lease } = await r.claim();
  await r.started(lease);
  expect(await revoke(p, "profile", "build")).toEqual({ versions: [1], requests: 3, leases: 1 });

  for (const id of ["live", "queued", "later"]) {
    const error = errorOf(await p.until(id, "faulted"));
    expect(error).toMatchObject({ title: "Refused by policy", data: { code: "execution_policy_denied" } });
    expect(error.detail).toContain("the profile build: a key leaked");
  }
  const told = await beat(p, r);
  expect(told.body["directives"]).toMatchObject([
    { kind: "cancel", leaseId: lease.leaseId, reason: "the profile build is revoked: a key leaked" },
  ]);
  // What it reports now is kept for a person, and changes nothing.
  expect((await r.task(lease, "complete", result(lease))).status).toBe(200);
  expect(p.run("live").status).toBe("faulted");
  await expect(startOnBuild(p, "again", [{ one: shell() }])).rejects.toThrow("the profile build is revoked");
  // Others go on.
  expect((await r.claim()).lease).toMatchObject({ executionProfile: "default" });
  const actions = audit(p).map(({ action }) => action);
  expect(actions.filter((action) => action === "lease.revoked")).toHaveLength(1);
  expect(actions.filter((action) => action === "profile.revoked")).toHaveLength(1);
  expect(p.store.read(verifyAudit, { tenantId: "default" }).brokenAt).toBeNull();
});

test("a lease that was offered and not yet started cannot be started once its profile is revoked", async () => {
  const p = await plane();
  await publish(p, "profile", "build", PROFILE());
  await startOnBuild(p, "one", [{ one: shell() }]);
  const r = await builder(p);
  const { lease } = await r.claim();
  await revoke(p, "profile", "build");
  expect((await r.started(lease)).status).toBeGreaterThanOrEqual(400);
  await p.until("one", "faulted");
  p.clock.advance(3_600_000);
  expect(p.run("one").status).toBe("faulted");
});

test("what is revoked is not replaced by an older version, and comes back as a new one", async () => {
  const p = await plane();
  await publish(p, "profile", "build", PROFILE());
  await publish(p, "profile", "build", PROFILE({ network: "open" }));
  await revoke(p, "profile", "build", 2);
  await expect(startOnBuild(p, "one", [{ one: shell() }])).rejects.toThrow("the profile build is revoked");
  expect(await publish(p, "profile", "build", PROFILE())).toMatchObject({ version: 3, created: true });
  expect((await startOnBuild(p, "one", [{ one: shell() }])).created).toBe(true);
  await expect(revoke(p, "profile", "nope")).rejects.toThrow("there is no profile nope");
  expect(await revoke(p, "profile", "build", 2)).toEqual({ versions: [], requests: 0, leases: 0 });
});

test("a step that comes after the revocation is refused, of a template only where it is used", async () => {
  const p = await plane();
  const template = {
    id: "make-it",
    executable: "/opt/make-it",
    slots: [{ name: "version", argumentIndex: 0, pattern: "\\d+" }],
  };
  await publish(p, "template", "make-it", template);
  const uses = {
    run: { shell: { command: "make-it", arguments: ["7"] } },
    metadata: { lightWorkflow: { runner: { commandTemplateId: "make-it" } } },
  };
  await p.start("one", [{ plain: shell() }, { made: uses }]);
  const r = await runner(p);
  const { lease } = await r.claim();
  await r.started(lease);
  await revoke(p, "template", "make-it");
  expect(lease.commandTemplateId).toBeUndefined();
  expect((await r.task(lease, "complete", result(lease))).status).toBe(200);
  expect(errorOf(await p.until("one", "faulted")).detail).toContain("the template make-it: a key leaked");
});

test("a template's command is rendered on the server, with its digest in the lease", async () => {
  const p = await plane();
  const template = {
    id: "release-build",
    command: "./release.sh",
    executable: "/opt/release",
    fixedArguments: ["build", "--"],
    slots: [{ name: "version", argumentIndex: 2, pattern: "[0-9.]+" }],
    limits: { taskMs: 5000 },
  };
  const { digest } = await publish(p, "template", "release-build", template);
  const task = (value: string) => ({
    run: { shell: { command: "./release.sh", arguments: [value] } },
    metadata: { lightWorkflow: { runner: { commandTemplateId: "release-build" } } },
  });
  await p.start("good", [{ build: task("1.2") }]);
  const r = await runner(p);
  expect((await r.claim()).lease).toMatchObject({
    commandTemplateId: "release-build",
    commandTemplateDigest: digest,
    deadlineMs: 5000,
    task: { command: "/opt/release", arguments: ["build", "--", "1.2"] },
  });
  await p.start("bad", [{ build: task("--force") }]);
  expect(errorOf(await p.until("bad", "faulted"))).toMatchObject({ data: { code: "template_denied" } });
});

for (const [what, light, more, code] of [
  ["a program that is not listed", {}, { allow: { executables: ["/opt"] } }, "execution_policy_denied"],
  ["a variable that is not listed", {}, { allow: { environmentNames: ["CI_*"] } }, "execution_policy_denied"],
  ["a mount outside of what is listed", { mounts: [{ source: "/srv-x" }] }, {}, "execution_policy_denied"],
  ["a mount for writing", { mounts: [{ source: "/srv/a", readOnly: false }] }, {}, "execution_policy_denied"],
  ["an artifact beside what is listed", { artifacts: [{ path: "**/*.jar" }] }, {}, "execution_policy_denied"],
  [
    "any artifact where none is exported",
    { artifacts: [{ path: "dist/a" }] },
    { artifactExport: false },
    "execution_policy_denied",
  ],
  ["a session's workspace where nothing persists", { workspace: "session" }, {}, "execution_policy_denied"],
] as [string, JsonObject, { allow?: object }, string][]) {
  test(`a task with ${what} fails at its step, and nothing is queued`, async () => {
    const p = await plane();
    const base = PROFILE()["policy"] as JsonObject;
    const policy = { ...base, ...more, allow: { ...(base["allow"] as JsonObject), ...more.allow } };
    await publish(p, "profile", "build", { id: "build", policy });
    const task = {
      run: { shell: { command: "true", environment: { NAME: "x" } } },
      metadata: { lightWorkflow: light },
    };
    await startOnBuild(p, "one", [{ work: task }]);
    expect(errorOf(await p.until("one", "faulted")).data["code"]).toBe(code);
    expect((await (await builder(p)).claim()).status).toBe(204);
  });
}

test("a revoked tenant starts nothing, and what it runs stops", async () => {
  const p = await plane();
  await publish(p, "tenant", "default", { id: "default" });
  await p.start("one", [{ one: shell() }]);
  expect(await revoke(p, "tenant", "default")).toMatchObject({ requests: 1 });
  await p.until("one", "faulted");
  await expect(p.start("two", [{ one: shell() }])).rejects.toThrow("the tenant default is revoked");
});

test("a workflow that another one runs is held to the policy of its own start", async () => {
  const p = await plane();
  await publish(p, "profile", "build", PROFILE());
  await p.orchestrator.publish("default", onBuild([{ one: shell() }]), `sha256:${"c".repeat(64)}`);
  await revoke(p, "profile", "build");
  await p.start("parent", [
    { call: { run: { workflow: { namespace: "t", name: "child", version: "1.0.0" } } } },
  ]);
  expect(errorOf(await p.until("parent", "faulted")).detail).toContain("the profile build is revoked");
});

test("X.1: a task that needs a stronger boundary than a runner proved is not given to it", async () => {
  const p = await plane();
  await publish(p, "profile", "build", {
    id: "build",
    policy: { ...(PROFILE()["policy"] as JsonObject), boundary: "micro-vm" },
  });
  await startOnBuild(p, "one", [{ one: shell() }]);
  expect((await (await builder(p)).claim()).status).toBe(204);
  expect(p.run("one").status).not.toBe("faulted");
  const denied = audit(p, "lease.denied");
  expect(denied.map(({ body }) => body["reason"])).toEqual(["boundary_too_weak"]);
});

test("policy says how many tasks of a profile a tenant may have at a time, beside the task's own keys", async () => {
  const p = await plane();
  await publish(p, "profile", "build", PROFILE({ limits: { concurrency: 2 } }));
  const keyed = (key: string) => shell({ concurrency: [{ key }, { key: "all", limit: 9 }] });
  await startOnBuild(p, "a", [{ one: keyed("x") }]);
  await startOnBuild(p, "b", [{ one: keyed("x") }]);
  await startOnBuild(p, "c", [{ one: keyed("y") }]);
  await startOnBuild(p, "d", [{ one: keyed("z") }]);
  const states = () =>
    p.store
      .read(viewQueue, { tenantId: "default", limit: 10 })
      .tasks.map(({ run_id, state, concurrency_key }) => `${run_id} ${state} ${concurrency_key}`)
      .sort();
  const waits = ["a pending profile:build", "b parked x", "c pending profile:build"];
  expect(states()).toEqual([...waits, "d parked profile:build"]);
  // The key is free now, the profile has room as well: the older one has it, and the newer still waits.
  await p.orchestrator.cancel("default", "a", "stop");
  expect(states()).toEqual(["b parked profile:build", "c pending profile:build", "d pending profile:build"]);
  await p.orchestrator.cancel("default", "c", "stop");
  expect(states()).toEqual(["b pending profile:build", "d pending profile:build"]);
  await publish(p, "tenant-policy", "default", { policy: { limits: { concurrency: 0 } } });
  await startOnBuild(p, "never", [{ one: shell() }]);
  expect(errorOf(await p.until("never", "faulted")).detail).toContain("lets no task of this profile run");
});

test("policy says which sandboxes may be used, and the runner picks one of them", async () => {
  const p = await plane();
  await publish(p, "tenant-policy", "default", { policy: { allow: { sandboxProviders: ["bubblewrap"] } } });
  await p.start("one", [{ one: shell() }]);
  expect((await (await runner(p)).claim()).status).toBe(204);
  await publish(p, "tenant-policy", "default", {
    policy: { deny: { sandboxProviders: ["bubblewrap", "oci"] } },
  });
  await p.start("two", [{ one: shell() }]);
  const { lease } = await (await runner(p, "r2")).claim();
  expect(lease.sandbox.providers).toEqual(["process", "kubernetes", "cubesandbox", "vm"]);
});

test("a lease holds what all layers leave, and what the profile does not give is refused by its field", async () => {
  const p = await plane();
  await publish(p, "profile", "build", {
    id: "build",
    policy: {
      ...(PROFILE()["policy"] as JsonObject),
      network: "allowlisted",
      secretPolicy: "none",
      allow: {
        runnerPools: ["default"],
        capabilities: ["git"],
        executables: ["/usr/bin"],
        environmentNames: ["CI_*"],
        mounts: ["/srv"],
        networkHosts: ["*.example.com"],
        sandboxProviders: ["process", "oci"],
      },
    },
  });
  await publish(p, "tenant-policy", "default", { policy: { deny: { networkHosts: ["old.example.com"] } } });
  const command = (shell: JsonObject, light: JsonObject = {}) => ({
    run: { shell: { command: "/usr/bin/git", ...shell } },
    metadata: { lightWorkflow: light },
  });
  await startOnBuild(p, "ok", [{ one: command({}, { network: "allowlisted" }) }]);
  const { lease } = await (await builder(p)).claim();
  expect(lease).toMatchObject({
    sandbox: { mode: "none", providers: ["process", "oci"] },
    workspace: { mode: "ephemeral" },
    network: "allowlisted",
    networkHosts: { allow: ["*.example.com"], deny: ["old.example.com"] },
    secretPolicy: "none",
    capabilities: [],
    mounts: [],
  });
  const refused: [string, JsonObject, string][] = [
    ["program", command({ command: "/bin/sh" }), "the program /bin/sh"],
    ["variable", command({ environment: { PATH: "/tmp" } }), "the environment variable PATH"],
    ["secret", command({ environment: { CI_KEY: "runner-secret://k" } }), "its secret policy is none"],
    ["mount", command({}, { mounts: [{ source: "/etc" }] }), "the task asks to see /etc"],
    ["session", command({}, { workspace: "session" }), "its persistence is ephemeral"],
    ["image", { run: { container: { image: "alpine", command: "true" } } }, "container"],
    ["artifact", command({}, { artifacts: [{ path: "out" }] }), "the artifact path out"],
  ];
  for (const [run, task, why] of refused) {
    await startOnBuild(p, run, [{ one: task }]);
    expect(errorOf(await p.until(run, "faulted")).detail).toContain(why);
  }
});

test("a layer with a rule that nothing would hold is refused, with what to state instead", async () => {
  const p = await plane();
  const stated: PolicyLayer[] = [
    { limits: { cpuMillis: 500 } },
    { limits: { diskBytes: 1_000_000 } },
    { allow: { networkPolicies: ["dmz"] } },
    { deny: { trustBundles: ["old"] } },
  ];
  for (const security of stated) {
    await expect(p.start("no", [{ one: shell({ security: security as JsonObject }) }])).rejects.toThrow(
      "nothing holds",
    );
    expect(() => refuseUnheld(security)).toThrow("nothing holds");
  }
  refuseUnheld({ allow: { networkPolicies: ["*"], trustBundles: [] }, limits: { taskMs: 1 } });
});

test("the weight that a tenant is published with is what the queue shares by, until it is published without", async () => {
  const p = await plane();
  const weights = () => [...p.store.read(readShares, null)];
  await publish(p, "tenant", "acme", { id: "acme", weight: 3 });
  expect(weights()).toEqual([["acme", 3]]);
  await publish(p, "tenant", "acme", { id: "acme" });
  expect(weights()).toEqual([]);
});

test("a service policy says which kinds of runners there may be at all", async () => {
  const p = await plane();
  await publish(p, "service-policy", "service", { policy: { allow: { runnerKinds: ["release*"] } } });
  await p.start("one", [{ one: shell() }]);
  expect((await (await runner(p)).claim()).status).toBe(204);
  await publish(p, "service-policy", "service", { policy: { allow: { runnerKinds: ["test"] } } });
  await p.start("two", [{ one: shell() }]);
  expect((await (await runner(p, "r2")).claim()).status).toBe(200);
});
