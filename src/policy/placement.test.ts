import { expect, test } from "bun:test";
import type { PolicyLayer } from "../protocol/policy.ts";
import { type AgentQuestion, callTarget, placeAgent, placeTask } from "./placement.ts";
import { LOCAL_PROFILE } from "./profile.ts";

const NOWHERE = { host: null, program: null };
const STRICT: PolicyLayer = { ...LOCAL_PROFILE.policy, tenantDataToSaas: false };
const ask = (more: Partial<AgentQuestion> = {}): AgentQuestion => ({
  tools: [],
  files: false,
  privateNetwork: false,
  privateData: false,
  ...more,
});
const only = (set: string, ...values: string[]): PolicyLayer => ({
  ...STRICT,
  allow: { ...STRICT.allow, [set]: values },
});

test("pure tasks stay with the orchestrator, commands go to a runner, calls by their destination", () => {
  for (const type of ["set", "switch", "ask", "assert", "do", "fork", "run.workflow"]) {
    expect(placeTask(type, NOWHERE, {}).runtime).toBe("orchestrator");
  }
  for (const type of ["run.shell", "run.script", "run.container"])
    expect(placeTask(type, NOWHERE, {}).runtime).toBe("runner");
  const policy = { privateHosts: ["*.corp.example"] };
  expect(placeTask("call.http", { host: "api.example.com", program: null }, policy).runtime).toBe(
    "orchestrator",
  );
  expect(placeTask("call.http", { host: "db.corp.example", program: null }, policy)).toEqual({
    runtime: "runner",
    reasons: ["db.corp.example is private to the tenant's network (*.corp.example)"],
  });
  // A server of MCP that is a program goes to a runner, whatever policy says of hosts.
  const task = { call: "mcp", with: { transport: { stdio: { command: "/usr/bin/notes" } } } };
  expect(placeTask("call.mcp", callTarget(task), {})).toMatchObject({ runtime: "runner" });
  expect(placeTask("call.agent-service", NOWHERE, policy).runtime).toBe("service");
});

test("an agent that only reasons stays in the workflow, with the service's model and the workflow's context", () => {
  expect(placeAgent(ask(), STRICT)).toMatchObject({
    runtime: "orchestrator",
    agentPlacement: "workflow",
    modelProviderScope: "saas",
    dataBoundary: "saas-workflow-context",
    credentialScheme: "saas-secret",
  });
});

for (const [what, more] of [
  ["files", { files: true }],
  ["tools", { tools: ["git"] }],
  ["the private network", { privateNetwork: true }],
  ["SR-7.1: private data", { privateData: true }],
] as [string, Partial<AgentQuestion>][]) {
  test(`an agent that needs ${what} goes to a runner with the tenant's model, and is refused as a native one`, () => {
    expect(placeAgent(ask(more), STRICT)).toMatchObject({
      runtime: "runner",
      modelProviderScope: "tenant",
      dataBoundary: "tenant-network",
      credentialScheme: "runner-secret",
    });
    expect(() => placeAgent(ask({ ...more, mode: "native" }), STRICT)).toThrow("workflow process");
  });
}

test("SR-7.2: private data goes to the service's model where the tenant's policy says so", () => {
  const open = { ...STRICT, tenantDataToSaas: true };
  expect(placeAgent(ask({ privateData: true }), open)).toMatchObject({
    agentPlacement: "workflow",
    dataBoundary: "saas-workflow-context",
  });
});

test("SR-6.1: a runner's agent gets no model of the service, and never its credential", () => {
  const question = ask({ mode: "runner", modelProviderScope: "saas" });
  expect(() => placeAgent(question, STRICT)).toThrow("tenant's policy says so");
  expect(placeAgent(question, { ...STRICT, tenantDataToSaas: true }).credentialScheme).toBe("runner-secret");
});

test("a tenant that allows only its own models moves even small calls to a runner, or to its own gateway", () => {
  const own = only("modelProviderScopes", "tenant");
  expect(placeAgent(ask(), own)).toMatchObject({ runtime: "runner", modelProviderScope: "tenant" });
  expect(placeAgent(ask({ mode: "native" }), own)).toMatchObject({
    runtime: "orchestrator",
    modelProviderScope: "tenant",
    dataBoundary: "tenant-network",
  });
  expect(() => placeAgent(ask({ modelProviderScope: "saas" }), own)).toThrow("modelProviderScopes");
});

test("placement, provider, tools and boundary each are what policy lists", () => {
  expect(() => placeAgent(ask({ mode: "service" }), only("agentPlacements", "workflow"))).toThrow(
    "service is not one",
  );
  expect(() => placeAgent(ask({ modelProvider: "x" }), only("modelProviders", "y*"))).toThrow(
    "modelProviders",
  );
  expect(() => placeAgent(ask({ tools: ["curl"] }), only("tools", "git"))).toThrow("tools: curl");
  expect(() => placeAgent(ask({ tools: ["git"] }), { ...STRICT, deny: { tools: ["g*"] } })).toThrow(
    "tools: git",
  );
  expect(() => placeAgent(ask(), only("dataBoundaries", "tenant-network"))).toThrow("dataBoundaries");
});
