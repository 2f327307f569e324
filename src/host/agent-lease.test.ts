import { expect, test } from "bun:test";
import { type Plane, plane, publish, runner } from "../../test/support/control-plane.ts";
import { readAgent } from "../agents/index.ts";
import { digestOf } from "../base/canonical.ts";
import type { JsonObject } from "../base/json.ts";
import { explainPolicy, type PolicyLayer } from "../policy/index.ts";
import { findAgent, policyRegistry, publishAgent, revokePolicyObject } from "../store/index.ts";

const COUNT: JsonObject = {
  id: "count",
  executable: "/usr/bin/wc",
  fixedArguments: ["-w"],
  slots: [{ name: "file", argumentIndex: 1, pattern: "[a-z/.]+" }],
  capabilities: ["git"],
};
const NOTES: JsonObject = {
  id: "notes",
  executable: "/opt/notes",
  fixedArguments: ["--root"],
  slots: [{ name: "root", argumentIndex: 1, pattern: "[a-z]+" }],
};

/** A plane whose runners take agents, with two templates. */
async function agents(policy: PolicyLayer = {}, more: JsonObject = {}): Promise<Plane> {
  const p = await plane();
  await publish(p, "template", "count", COUNT);
  await publish(p, "template", "notes", NOTES);
  await publish(p, "template", "release", { id: "release", executable: "/usr/bin/true", action: "publish" });
  await publish(p, "profile", "build", {
    id: "build",
    policy: {
      sandboxMode: "none",
      boundary: "process",
      modelGeneratedBoundary: "process",
      approvalRequired: false,
      directCommands: true,
      secretPolicy: "task-scoped",
      persistence: "session",
      ...policy,
      allow: {
        runnerPools: ["default"],
        capabilities: ["git"],
        executables: ["/opt", "/usr"],
        commandTemplates: ["*"],
        environmentNames: ["TOKEN", "MODE"],
        actions: ["*"],
        tools: ["run", "read", "mcp:notes/*"],
        agentPlacements: ["runner"],
        modelProviderScopes: ["tenant"],
        dataBoundaries: ["tenant-network"],
        ...policy.allow,
      },
      limits: { concurrency: 4, modelTokens: 1000, modelCostMicros: 1000 },
    },
  } as JsonObject);
  const agent: JsonObject = {
    name: "reader",
    version: "1.0.0",
    instructions: "Read.",
    tools: ["read", "mcp:notes/find"],
    mcpServers: [{ name: "notes", command: "/opt/notes", arguments: ["--root", "."] }],
    ...more,
  };
  await p.store.write(publishAgent, {
    ...readAgent(agent),
    tenantId: "default",
    actor: "user:1",
    now: 1,
  });
  return p;
}

const start = (p: Plane, given: JsonObject = {}, security: JsonObject = {}, more: JsonObject = {}) =>
  p.startDocument("one", documentOf(given, security, more));
const documentOf = (given: JsonObject, security: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  document: {
    dsl: "1.0.3",
    namespace: "t",
    name: "t",
    version: "1.0.0",
    metadata: { lightWorkflow: { runner: { executionProfile: "build" } } },
  },
  do: [
    {
      look: {
        call: "agent",
        with: { agent: "reader", prompt: "What is there?", ...given },
        metadata: { lightWorkflow: { runner: { executionProfile: "build" }, security, ...more } },
      },
    },
  ],
});
const agentRunner = (p: Plane) =>
  runner(p, "r1", "default", ["default", "build"], {
    sandbox: {
      modes: ["none", "per-agent-call"],
      providers: [{ provider: "process", template: "process", boundary: "process", features: [] }],
    },
  });
const claim = async (p: Plane) => await (await agentRunner(p)).claim();
/** How a start, or its step, is refused. */
const refusal = async (
  p: Plane,
  given: JsonObject = {},
  security: JsonObject = {},
  more: JsonObject = {},
): Promise<string> => {
  try {
    await start(p, given, security, more);
  } catch (error) {
    return String((error as { code: string }).code);
  }
  const { snapshot } = await p.until("one", "faulted");
  expect((await claim(p)).status).toBe(204);
  return String((JSON.parse(snapshot) as { error: { data: JsonObject } }).error.data["code"]);
};

test("the lease of an agent names its servers, their secrets by reference in the task's environment, and what its tools were", async () => {
  const pin = `sha256:${"a".repeat(64)}`;
  const server = {
    name: "notes",
    command: "/opt/notes",
    environment: { TOKEN: "runner-secret://notes-token", MODE: "fast" },
    timeoutMs: 5000,
  };
  const unused = { name: "unused", command: "/opt/unused" };
  const p = await agents({}, { mcpServers: [server, unused], pins: { "mcp:notes/find": pin } });
  await start(p);
  const { lease } = await claim(p);
  expect(lease.task.environment).toEqual({ AGENT_SECRET_0: "runner-secret://notes-token" });
  expect(lease.agent?.allowedTools).toEqual(["read", "mcp:notes/find"]);
  expect(lease.agent?.mcpServers).toEqual([
    {
      name: "notes",
      command: "/opt/notes",
      arguments: [],
      environment: { MODE: "fast" },
      secrets: { TOKEN: "AGENT_SECRET_0" },
      pins: { find: pin },
      timeoutMs: 5000,
    },
  ]);
  expect(lease.network).toBe("deny-all");
});

test("templates that the task names are in the lease as they were approved, and revoking one stops the agent", async () => {
  const byTemplate = { name: "notes", commandTemplateId: "notes", arguments: ["docs"] };
  const p = await agents(
    { directCommands: false },
    { tools: ["run", "mcp:notes/find"], mcpServers: [byTemplate] },
  );
  await start(
    p,
    { commands: [{ name: "words", template: "count" }] },
    { allow: { commandTemplates: ["notes"] } },
  );
  const r = await agentRunner(p);
  const { lease } = await r.claim();
  expect(lease.commandTemplateId).toBeUndefined();
  expect(lease.capabilities).toEqual(["git"]);
  expect(lease.agent?.templates).toEqual([
    { name: "words", digest: digestOf(COUNT), template: COUNT },
  ] as never);
  expect(lease.agent?.mcpServers).toMatchObject([
    {
      command: "/opt/notes",
      arguments: ["--root", "docs"],
      commandTemplateId: "notes",
      commandTemplateDigest: digestOf(NOTES),
    },
  ]);
  for (const [template, stopped] of [
    ["release", 0],
    ["count", 1],
  ] as const) {
    const revoked = await p.store.write(revokePolicyObject, {
      kind: "template",
      id: template,
      version: null,
      reason: "it leaked",
      actor: "user:1",
      tenantId: "default",
      now: p.clock.wall(),
    });
    expect(revoked.requests).toBe(stopped);
  }
});

const SECRET = { environment: { TOKEN: "runner-secret://notes-token" } };
for (const [what, policy, more, given, code] of [
  [
    "a server that policy does not list",
    { allow: { executables: ["/usr"] } },
    {},
    {},
    "execution_policy_denied",
  ],
  [
    "a tool of a server that policy does not list",
    { allow: { tools: ["read"] } },
    {},
    {},
    "execution_policy_denied",
  ],
  ["a program of its own where templates alone run", { directCommands: false }, {}, {}, "template_denied"],
  [
    "a variable that policy does not list",
    {},
    { mcpServers: [{ name: "notes", command: "/opt/notes", environment: { HOME: "/" } }] },
    {},
    "execution_policy_denied",
  ],
  [
    "a secret where policy gives none",
    { secretPolicy: "none" },
    { mcpServers: [{ name: "notes", command: "/opt/notes", ...SECRET }] },
    {},
    "execution_policy_denied",
  ],
  [
    "a template that the task does not name",
    {},
    { mcpServers: [{ name: "notes", commandTemplateId: "notes", arguments: ["docs"] }] },
    {},
    "template_denied",
  ],
  [
    "a template that publishes",
    {},
    { tools: ["run"], mcpServers: [] },
    { commands: [{ name: "out", template: "release" }] },
    "template_denied",
  ],
  [
    "a template that policy does not list",
    { allow: { commandTemplates: ["notes"] } },
    { tools: ["run"], mcpServers: [] },
    { commands: [{ name: "words", template: "count" }] },
    "execution_policy_denied",
  ],
  [
    "a template that nobody published",
    {},
    { tools: ["run"], mcpServers: [] },
    { commands: [{ name: "words", template: "missing" }] },
    "execution_policy_denied",
  ],
] as [string, PolicyLayer, JsonObject, JsonObject, string][]) {
  test(`an agent with ${what} is refused with ${code}, and nothing is queued`, async () => {
    expect(await refusal(await agents(policy, more), given)).toBe(code);
  });
}

test("RN-42: a call of an agent neither publishes, signs nor tags, nor writes to the host, whatever policy allows its task", async () => {
  const open: PolicyLayer = { hostExposure: "read-write", allow: { mounts: ["/srv"] } };
  for (const action of ["publish", "sign", "tag"])
    expect(await refusal(await agents(open), {}, { allow: { actions: [action] } })).toBe(
      "execution_policy_denied",
    );
  const registry = { mounts: [{ source: "/srv/registry", readOnly: false }] };
  expect(await refusal(await agents(open), {}, {}, registry)).toBe("execution_policy_denied");
  const p = await agents(open);
  await start(p, {}, {}, { mounts: [{ source: "/srv/registry" }] });
  expect((await claim(p)).lease.mounts).toMatchObject([{ source: "/srv/registry", readOnly: true }]);
});

test("what policy makes of an agent's call is explained before anything runs, its refusal too", async () => {
  const explained = async (p: Plane) =>
    explainPolicy(p.store.read(policyRegistry, { tenantId: "default" }), documentOf({}), [], (reference) =>
      p.store.read(findAgent, { tenantId: "default", reference }),
    ).tasks[0]!;
  expect(await explained(await agents())).toMatchObject({
    runtime: "runner",
    reasons: expect.arrayContaining(["it uses tools: read, mcp:notes/find"]),
    agent: {
      name: "reader",
      placement: "runner",
      data_boundary: "tenant-network",
      tools: ["read", "mcp:notes/find"],
    },
    runner_pool: "default",
    network: "deny-all",
    refused: null,
  });
  expect(await explained(await agents({ allow: { tools: ["read"] } }))).toMatchObject({
    agent: null,
    refused: { code: "execution_policy_denied", message: expect.stringContaining("mcp:notes/find") },
  });
});

test("what a million tokens cost goes with the lease, and policy's bound is the budget where nobody names a smaller one", async () => {
  const prices = { input: 400_000, output: 1_600_000 };
  const p = await agents({}, { model: { prices } });
  await start(p);
  expect((await claim(p)).lease["agent"]).toMatchObject({ prices, budgets: { costMicros: 1000 } });

  const smaller = await agents({}, { model: { prices } });
  await start(smaller, { costBudgetMicros: 250 });
  expect((await claim(smaller)).lease["agent"]).toMatchObject({ budgets: { costMicros: 250 } });

  expect(await refusal(await agents({}, { model: { prices } }), { costBudgetMicros: 1001 })).toBe(
    "execution_policy_denied",
  );
});
