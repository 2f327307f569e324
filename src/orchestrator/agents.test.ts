import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atEnd, documentOf, startDocument } from "../../test/support/orchestrator.ts";
import { until } from "../../test/support/until.ts";
import { readAgent } from "../agents/index.ts";
import { openArtifacts } from "../artifacts/index.ts";
import { systemClock } from "../base/clock.ts";
import type { Json, JsonObject } from "../base/json.ts";
import { silentLog } from "../base/log.ts";
import { findRun, listAudit, listEvents, publishAgent, publishPolicyObject, Store } from "../store/index.ts";
import { callRequest } from "./call-request.ts";
import { Orchestrator } from "./index.ts";

/** What the model is asked, by the id of the exchange, and what it says; undefined while it still thinks. */
type Model = (request: JsonObject, id: string) => Json | { error: string } | undefined;

/** A directory that is `/ctx` for one model, whatever process asks. */
function ctx(model: Model) {
  const mount = mkdtempSync(join(tmpdir(), "agents-ctx-"));
  writeFileSync(join(mount, "status"), "ready\n");
  const asked: { id: string; request: JsonObject }[] = [];
  const api = join(mount, "home/7/api/openai.chat");
  const answered = new Set<string>();
  const timer = setInterval(() => {
    let names: string[] = [];
    try {
      names = readdirSync(join(api, "inbox")).filter((name) => name.endsWith(".req.json"));
    } catch {
      return;
    }
    for (const name of names) {
      if (answered.has(name)) continue;
      const id = name.slice(0, -".req.json".length);
      const request = JSON.parse(readFileSync(join(api, "inbox", name), "utf8")) as JsonObject;
      if (!asked.some((each) => each.id === id)) asked.push({ id, request });
      const said = model(request, id);
      if (said === undefined) continue;
      answered.add(name);
      Bun.spawnSync(["mkdir", "-p", join(api, "outbox")]);
      const failed = typeof said === "object" && said !== null && "error" in said;
      writeFileSync(join(api, "outbox", `${id}${failed ? ".error" : ".resp.json"}`), JSON.stringify(said));
    }
  }, 2);
  atEnd(() => {
    clearInterval(timer);
    rmSync(mount, { recursive: true });
  });
  return { place: { mount, uid: 7 }, asked };
}

const says = (content: string): Json => ({
  choices: [{ message: { role: "assistant", content }, finish_reason: "stop" }],
  usage: { prompt_tokens: 10, completion_tokens: 5 },
});

async function host(model: Model) {
  const directory = mkdtempSync(join(tmpdir(), "agents-"));
  const served = ctx(model);
  let ahead = 0;
  const clock = { ...systemClock, wall: () => systemClock.wall() + ahead };
  const store = Store.open(join(directory, "store.db"));
  const parts = {
    store,
    artifacts: openArtifacts(join(directory, "artifacts")),
    clock,
    log: silentLog,
    calls: { cortex: served.place },
  };
  let orchestrator = new Orchestrator(parts);
  atEnd(async () => {
    orchestrator.stop();
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const publish = (document: JsonObject) =>
    store.write(publishAgent, {
      ...readAgent({ name: "triage", version: "1.0.0", instructions: "Sort.", ...document }),
      tenantId: "default",
      actor: "user:1",
      now: 1,
    });
  const policy = (tenant: JsonObject) =>
    store.write(publishPolicyObject, {
      kind: "tenant-policy",
      id: "default",
      body: { policy: tenant },
      actor: "user:1",
      tenantId: "default",
      now: 1,
    });
  const start = (tasks: JsonObject[], input: JsonObject = {}, runId = "run") =>
    startDocument(orchestrator, runId, documentOf(tasks), { input });
  const ended = async (runId = "run") => {
    const run = () => store.read(findRun, { tenantId: "default", runId });
    await until(() => run().finished_at !== null, run);
    const { status, snapshot } = run();
    const { output, error } = JSON.parse(snapshot) as { output: Json; error?: JsonObject };
    return { status, output, error };
  };
  const lines = (runId = "run") => {
    const { id } = store.read(findRun, { tenantId: "default", runId });
    return store.read(listEvents, { instanceId: id, runId, after: 0, limit: 1000 });
  };
  const audit = () => store.read(listAudit, { tenantId: "default", after: 0, limit: 1000 });
  const restart = () => {
    orchestrator.stop();
    // The claim of the one that has stopped has run out.
    ahead += 20_000;
    orchestrator = new Orchestrator(parts);
  };
  return { asked: served.asked, store, publish, policy, start, ended, lines, audit, restart };
}

const agent = (given: JsonObject = {}): JsonObject => ({
  call: "agent",
  with: { agent: "triage", input: "${ $workflow.input }", ...given },
});
const KIND = { type: "object", properties: { kind: { type: "string" } }, required: ["kind"] };

test("a native agent answers through /ctx; placement, boundary and usage stand in history and audit", async () => {
  const h = await host(() => says('{"kind":"bug"}'));
  await h.publish({ outputSchema: KIND, skills: [{ name: "log", text: "Read the last lines." }] });
  await h.start([{ sort: agent({ prompt: "Which?" }) }], { text: "it crashes" });
  expect(await h.ended()).toMatchObject({ status: "completed", output: { kind: "bug" } });
  const messages = h.asked[0]!.request["messages"] as { content: string }[];
  expect(messages[0]!.content).toContain("# Skill: log\n\nRead the last lines.");
  expect(messages[1]!.content).toBe('Which?\n\nINPUT\n{"text":"it crashes"}');
  const placed = h.lines().find(({ event }) => event === "step.agent_placed")!.detail;
  expect(placed).toMatchObject({
    agent: "triage:1.0.0",
    mode: "policy",
    agentPlacement: "workflow",
    modelProviderScope: "saas",
    dataBoundary: "saas-workflow-context",
    privateData: false,
    reasons: ["it only reasons over the workflow's context"],
  });
  expect(h.audit().find(({ action }) => action === "agent.placed")!.body).toMatchObject(placed as JsonObject);
  const finished = h.lines().find(({ event }) => event === "step.attempt_finished")!.detail;
  expect(finished).toMatchObject({ usage: { turns: 1, inputTokens: 10, outputTokens: 5 } });
});

test("an exchange that outlived a restart is taken up again: no turn is asked twice", async () => {
  let open = false;
  const h = await host(() => {
    if (open) return says('{"kind":"x"}');
    return h.asked.length === 1 ? says("no") : undefined;
  });
  await h.publish({ outputSchema: KIND });
  await h.start([{ sort: agent({ onInvalidOutput: { retry: 5 } }) }]);
  while (h.asked.length < 2) await Bun.sleep(2);
  h.restart();
  open = true;
  expect((await h.ended()).output).toEqual({ kind: "x" });
  expect(h.asked).toHaveLength(2);
});

for (const [what, model, given, code] of [
  ["an answer that never fits", () => says("no"), {}, "agent_output_invalid"],
  ["a budget that is used up", () => says("no"), { tokenBudget: 20 }, "agent_budget_exhausted"],
  ["a provider that fails", () => ({ error: "the provider broke off" }), {}, "agent_model_failed"],
] as [string, Model, JsonObject, string][]) {
  test(`${what} is an error of its own, which a workflow catches by its type`, async () => {
    const h = await host(model);
    await h.publish({ outputSchema: KIND });
    const type = `https://agentic-workflow.org/errors/${code.replaceAll("_", "-")}`;
    await h.start([
      {
        guarded: {
          try: [{ sort: agent(given) }],
          catch: {
            errors: { with: { type } },
            as: "e",
            do: [{ note: { set: { code: "${ $e.data.code }" } } }],
          },
        },
      },
    ]);
    expect(await h.ended()).toMatchObject({ status: "completed", output: { code } });
  });
}

test("an invalid answer asks a person where the task says so", async () => {
  const h = await host(() => says("no"));
  await h.publish({ outputSchema: KIND });
  await h.start([
    { sort: agent({ outputSchema: { document: KIND }, onInvalidOutput: { retry: 0, then: "ask" } }) },
  ]);
  await until(() => h.lines().some(({ event }) => event === "step.attempt_finished"), h.lines);
  expect(h.store.read(findRun, { tenantId: "default", runId: "run" }).status).toBe("waiting");
});

test("what needs tools, or more than policy allows, is refused in the workflow process, never moved in silence", async () => {
  const h = await host(() => says("x"));
  await h.publish({ tools: ["git"] });
  await h.start([{ sort: agent({ mode: "native" }) }]);
  const { error } = await h.ended();
  expect(error).toMatchObject({ status: 403, data: { code: "execution_policy_denied" } });
  expect(error!["detail"]).toContain("it uses tools: git");
  expect(h.asked).toEqual([]);
  expect(h.audit().map(({ action }) => action)).toContain("agent.refused");
});

test("a tenant that allows its own providers alone gets no call of the service's models", async () => {
  const h = await host(() => says("x"));
  await h.publish({});
  await h.policy({ allow: { modelProviderScopes: ["tenant"] } });
  await h.start([{ sort: agent({ mode: "native" }) }]);
  await h.ended();
  expect(h.lines().find(({ event }) => event === "step.agent_placed")!.detail).toMatchObject({
    modelProviderScope: "tenant",
    dataBoundary: "tenant-network",
  });
});

test("an agent that nobody published, and a budget over what policy allows, are refused", async () => {
  const h = await host(() => says("x"));
  await h.start([{ sort: agent() }], {}, "none");
  expect((await h.ended("none")).error).toMatchObject({ data: { code: "agent_not_found" } });
  await h.publish({ budgets: { tokens: 100 } });
  await h.start([{ sort: agent({ tokenBudget: 101 }) }], {}, "over");
  expect((await h.ended("over")).error).toMatchObject({ data: { code: "execution_policy_denied" } });
});

test("a session of a service is the tenant's own", () => {
  const request = {
    call: "agent-service",
    with: { session: "talk" },
    secrets: {},
    repeatable: true,
    timeout_ms: 1,
  };
  const call = {
    instance_id: "i",
    effect_id: "e1",
    reference: "/do/0/a",
    step_id: "a",
    fence: 1,
    attempt: 1,
  };
  const made = callRequest({ ...call, tenant_id: "acme", policy_digest: "p", request }, () => undefined, 0);
  expect(made.with["session"]).toBe("acme/talk");
});

test("SR-9.1, SR-9.5: a repair is refused where policy allows no such action, no model to see what failed, or fewer attempts", async () => {
  const refusals = [
    [{ deny: { actions: ["repair"] } }, "not an action that policy allows"],
    [{ aiDiagnosisAllowed: false }, "may not be shown to a model"],
    [{ limits: { repairAttempts: 1 } }, "2 attempts of a repair are more than the 1"],
  ] as const;
  for (const [tenant, why] of refusals) {
    const h = await host(() => says("never asked"));
    await h.publish({ tools: ["read", "run"], files: true });
    await h.policy(tenant as unknown as JsonObject);
    const mend = agent({
      prompt: "Mend it.",
      commands: [{ name: "test", command: "true" }],
      repair: { command: "test", attempts: 2 },
    });
    await h.start([{ mend }]);
    const { status, error } = await h.ended();
    expect([status, JSON.stringify(error)]).toEqual(["faulted", expect.stringContaining(why)]);
    expect(h.audit().map(({ action }) => action)).toContain("agent.refused");
    expect(h.asked).toEqual([]);
  }
});
