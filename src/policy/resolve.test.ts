import { expect, test } from "bun:test";
import type { Failure } from "../base/errors.ts";
import type { JsonObject } from "../base/json.ts";
import type { PolicyLayer } from "../protocol/policy.ts";
import { effectivePolicy } from "./effective.ts";
import { completeProfile, type ExecutionProfile, LOCAL_PROFILE } from "./profile.ts";
import { requestLayer } from "./request.ts";
import { type PolicyRegistry, snapshotPolicy } from "./snapshot.ts";

const RELEASE: ExecutionProfile = {
  id: "release",
  version: 3,
  policy: completeProfile({
    id: "release",
    policy: {
      sandboxMode: "none",
      boundary: "process",
      network: "open",
      hostExposure: "read-only",
      persistence: "session",
      approvalRequired: false,
      directCommands: true,
      allow: {
        runnerPools: ["release", "spare"],
        capabilities: ["git", "maven"],
        actions: ["*"],
        commandTemplates: ["*"],
      },
      limits: { taskMs: 3_600_000 },
    },
  }),
};

const registry = (more: Partial<PolicyRegistry> = {}): PolicyRegistry => ({
  tenantId: "acme",
  service: null,
  tenant: null,
  defaultProfile: "release",
  profile: (id) =>
    id === "release" ? RELEASE : id === "default" ? LOCAL_PROFILE : id === "gone" ? "revoked" : null,
  template: (id) =>
    id === "build"
      ? {
          version: 2,
          digest: `sha256:${"1".repeat(64)}`,
          template: { id, executable: "/opt/build", action: "build", limits: { taskMs: 1000 } },
        }
      : null,
  pool: () => ({ version: 1 }),
  ...more,
});

const document = (light: JsonObject, ...tasks: JsonObject[]): JsonObject => ({
  document: { dsl: "1.0.3", namespace: "t", name: "t", version: "1.0.0", metadata: { lightWorkflow: light } },
  do: tasks.map((task, at) => ({
    [`t${at}`]: { run: { shell: { command: "true" } }, metadata: { lightWorkflow: task } },
  })),
});
const layer = (policy: PolicyLayer, version = 1) => ({ version, policy });

function effective(light: JsonObject, task: JsonObject = {}, more: Partial<PolicyRegistry> = {}) {
  const snapshot = snapshotPolicy(registry(more), document(light, task));
  return effectivePolicy(snapshot, { layer: requestLayer(task), reference: "/do/0/t0" });
}

function refused(light: JsonObject, task: JsonObject = {}, more: Partial<PolicyRegistry> = {}): Failure {
  try {
    effective(light, task, more);
  } catch (error) {
    return error as Failure;
  }
  throw new Error("it was allowed");
}

test("without requests a task gets no network, and the profile's own sandbox and pool", () => {
  expect(effective({})).toMatchObject({ network: "deny-all", runnerPool: "release", taskMs: 600_000 });
  expect(effective({}).policy.sandboxMode).toBe("none");
});

test("SR-5.3 a stricter request is granted", () => {
  const task = { security: { sandbox: { mode: "per-agent-call" }, hostExposure: "none" }, timeoutMs: 1000 };
  const granted = effective({ security: { sandbox: { mode: "workflow-session" } }, network: "open" }, task);
  expect(granted.policy).toMatchObject({ sandboxMode: "per-agent-call", hostExposure: "none" });
  expect(granted).toMatchObject({ network: "open", taskMs: 1000 });
});

for (const [what, light, task, layerKind, field] of [
  [
    "a weaker sandbox",
    { security: { sandbox: { mode: "per-agent-call" } } },
    { security: { sandbox: { mode: "none" } } },
    "task",
    "sandboxMode",
  ],
  ["a wider network", { network: "deny-all" }, { network: "open" }, "task", "network"],
  [
    "a capability that its workflow does not have",
    { runner: { capabilities: ["git"] } },
    { runner: { capabilities: ["git", "maven"] } },
    "task",
    "allow.capabilities",
  ],
  ["a longer limit than the profile", {}, { timeoutMs: 7_200_000 }, "task", "limits.taskMs"],
  [
    "another pool than its workflow",
    { runner: { runnerPool: "release" } },
    { runner: { runnerPool: "spare" } },
    "task",
    "allow.runnerPools",
  ],
  [
    "a pool that the profile does not list",
    { runner: { runnerPool: "other" } },
    {},
    "workflow",
    "allow.runnerPools",
  ],
  ["writable host directories", { security: { hostExposure: "read-write" } }, {}, "workflow", "hostExposure"],
  [
    "no approval where one is required",
    { security: { approvalRequired: true } },
    { security: { approvalRequired: false } },
    "task",
    "approvalRequired",
  ],
  [
    "to be trusted more than it is",
    { security: { workloadTrust: "model-generated" } },
    { security: { workloadTrust: "trusted-template" } },
    "task",
    "workloadTrust",
  ],
] as [string, JsonObject, JsonObject, string, string][]) {
  test(`SR-5.2 a task or workflow that asks for ${what} is refused with the layer and the field`, () => {
    const failure = refused(light, task);
    expect(failure.code).toBe("execution_policy_denied");
    expect(failure.details).toMatchObject({ layer: layerKind, field });
    expect(failure.message).toContain(field);
  });
}

test("service and tenant cap what is asked, and the refusal names who decided", () => {
  const more = {
    service: layer({ network: "allowlisted" }, 7),
    tenant: layer({ allow: { capabilities: ["git"] }, limits: { taskMs: 1000 } }, 9),
  } satisfies Partial<PolicyRegistry>;
  expect(refused({ network: "open" }, {}, more).message).toContain("which service policy@7 does not allow");
  expect(refused({}, { runner: { capabilities: ["maven"] } }, more).message).toContain(
    "tenant policy acme@9",
  );
  expect(refused({ timeoutMs: 2000 }, {}, more).details).toMatchObject({
    bound: 1000,
    decidedBy: ["tenant policy acme@9"],
  });
  // Nobody asked for time: the default is cut to what there is.
  expect(effective({}, {}, more).taskMs).toBe(1000);
});

test("a workspace limits what its workflows may ask for, and asks for nothing in their place", () => {
  const workspace = [
    {
      name: "narrow",
      policy: {
        network: "open",
        allow: { capabilities: ["git"], actions: ["publish", "build"], commandTemplates: ["build"] },
      } satisfies PolicyLayer,
    },
  ];
  const plain = snapshotPolicy(registry(), document({}, {}), workspace);
  const task = effectivePolicy(plain, { layer: {}, reference: "/do/0/t0" });
  expect(task).toMatchObject({ network: "deny-all", capabilities: [], actions: [], template: null });
  expect(() =>
    snapshotPolicy(registry(), document({ runner: { capabilities: ["maven"] } }), workspace),
  ).toThrow("workspace policy narrow does not allow");
  const wide = [{ name: "wide", policy: { limits: { taskMs: 9_999_999 } } }];
  expect(() => snapshotPolicy(registry(), document({}), wide)).toThrow(
    "the workspace policy wide asks for limits.taskMs",
  );
});

test("what one layer denies no other allows, in whatever layer it stands", () => {
  const more = { tenant: layer({ deny: { capabilities: ["ma*"] } }) };
  expect(effective({}, { runner: { capabilities: ["git"] } }, more).policy.allow?.capabilities).toEqual([
    "git",
  ]);
  expect(refused({}, { runner: { capabilities: ["maven"] } }, more).message).toContain("a deny list");
  // A directory that holds a denied one is denied with it.
  const mounts = { service: layer({ deny: { mounts: ["/srv/secret"] } }), profile: () => LOCAL_PROFILE };
  expect(refused({ security: { allow: { mounts: ["/srv"] } } }, {}, mounts).details).toMatchObject({
    field: "allow.mounts",
  });
});

test("an empty intersection of what is needed is refused", () => {
  expect(refused({}, {}, { tenant: layer({ allow: { runnerPools: ["none-of-them"] } }) }).message).toContain(
    "no runner pool",
  );
  expect(refused({}, {}, { tenant: layer({ allow: { executionProfiles: ["other"] } }) }).message).toContain(
    "profile release",
  );
});

test("profiles, templates and pools that are unknown or revoked are refused by name", () => {
  expect(refused({ runner: { executionProfile: "nope" } }).message).toContain("there is no profile nope");
  expect(refused({ runner: { executionProfile: "gone" } }).message).toContain("the profile gone is revoked");
  expect(refused({}, { runner: { commandTemplateId: "nope" } }).message).toContain(
    "there is no template nope",
  );
  expect(refused({}, {}, { pool: () => null }).message).toContain("there is no pool release");
  expect(refused({}, {}, { pool: () => ({ version: 1, tenants: ["other"] }) }).message).toContain(
    "not for tenant acme",
  );
});

test("publishing asks for an approval, a signature and a sandbox of its own, whoever says that it publishes", () => {
  const publish = effective({}, { security: { allow: { actions: ["publish"] } } });
  expect(publish.policy).toMatchObject({
    sandboxMode: "per-publish",
    provenance: "signed",
    persistence: "ephemeral",
  });
  expect(publish.approval.required).toBe(true);
  expect(publish.decidedBy.get("sandboxMode")).toEqual(["rule: publish"]);
  const template = { id: "build", executable: "/opt/build", action: "sign" };
  const signs = effective(
    {},
    { runner: { commandTemplateId: "build" } },
    { template: () => ({ version: 1, digest: "d", template }) },
  );
  expect(signs.policy.sandboxMode).toBe("per-publish");
  const asks = effective(
    { security: { requiresHumanApprovalBefore: ["deploy*"] } },
    { security: { allow: { actions: ["deploy-prod"] } } },
  );
  expect(asks.approval.required).toBe(true);
});

test("what a model wrote runs behind the boundary that the operator set for it", () => {
  const snapshot = snapshotPolicy(registry(), document({}));
  const question = { layer: {}, reference: "/do/0/t0" };
  expect(effectivePolicy(snapshot, question).policy.boundary).toBe("process");
  const written = effectivePolicy(snapshot, { ...question, modelGenerated: true });
  expect(written.policy.boundary).toBe("micro-vm");
  expect(written.workloadTrust).toBe("model-generated");
});

test("a profile that says nothing allows nothing", () => {
  const strict = completeProfile({ id: "release", policy: {} });
  expect(strict).toMatchObject({
    network: "deny-all",
    sandboxMode: "per-publish",
    approvalRequired: true,
    directCommands: false,
  });
  const profile = () => ({
    id: "release",
    version: 1,
    policy: { ...strict, allow: { ...strict.allow, runnerPools: ["p"] } },
  });
  expect(refused({}, {}, { profile }).code).toBe("template_denied");
});

test("SR-5.5 the digest changes with every layer's version and content, and not with the order of keys", () => {
  const digest = (more: Partial<PolicyRegistry>, light: JsonObject = { runner: { capabilities: ["git"] } }) =>
    snapshotPolicy(registry(more), document(light, {})).digest;
  const first = digest({});
  expect(digest({ profile: () => ({ policy: RELEASE.policy, version: 3, id: "release" }) })).toBe(first);
  const others = [
    digest({ profile: () => ({ ...RELEASE, version: 4 }) }),
    digest({ service: layer({}) }),
    digest({ service: layer({}, 2) }),
    digest({ tenant: layer({ network: "open" }) }),
    digest({ pool: () => ({ version: 2 }) }),
    digest({}, { runner: { capabilities: ["maven"] } }),
  ];
  expect(new Set([first, ...others]).size).toBe(7);
});

test("the request is read from the places of the workflow format", () => {
  expect(
    requestLayer({
      runner: { runnerPool: "release", commandTemplateId: "build", capabilities: ["git"] },
      security: { sandbox: { mode: "workflow-session" }, limits: { logBytes: 5 } },
      network: "open",
      timeoutMs: 7,
    }),
  ).toEqual({
    sandboxMode: "workflow-session",
    network: "open",
    allow: { runnerPools: ["release"], commandTemplates: ["build"], capabilities: ["git"] },
    limits: { logBytes: 5, taskMs: 7 },
  });
});
