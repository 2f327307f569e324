import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "../../src/base/json.ts";
import { startProviderServer } from "../fuse/provider-server.ts";
import { runBinary, sandbox } from "../support/binary.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";

/**
 * Agents from outside: a host, its `/ctx` in a process of its own that alone has the model's credential, and a server that
 * speaks the provider's wire format.
 */
const CANARY = "sk-canary-7c1f0b52e9d84a63";
const PRIVATE = "only-the-tenant-may-read-this";
const box = sandbox("agents");
const model = startProviderServer();
const place = join(box.path, "ctx-tree");
const env = { ...box.env, LIGHTFLOW_CTX_MOUNT: place };
let ctx: Started;
let host: Started;
beforeAll(async () => {
  mkdirSync(place);
  const provider = {
    CORTEXFS_OPENAI_BASE_URL: `${model.url}/v1`,
    CORTEXFS_OPENAI_API_KEY: CANARY,
    CORTEXFS_OPENAI_MODEL: "stub-model",
  };
  ctx = await startBinary(["ctx", "serve", "--dir", place], { ...box.env, ...provider }, box.path);
  host = await startBinary(["up", "--no-ctx", "--port", "0", "--controller-port", "0"], env, box.path);
  await publishAgent({ outputSchema: KIND });
});
afterAll(async () => {
  await host.stop();
  await ctx.stop();
  await model.stop();
  box.remove();
});
beforeEach(() => {
  model.state.behaviour = { text: '{"kind":"bug"}' };
  model.seen.length = 0;
});

const KIND = { type: "object", properties: { kind: { type: "string" } }, required: ["kind"] };
async function lightflow(...args: string[]) {
  const ran = await runBinary(args, { env, cwd: box.path });
  return { ...ran, json: (ran.stdout === "" ? null : JSON.parse(ran.stdout)) as JsonObject };
}
const ok = async (...args: string[]) => {
  const ran = await lightflow(...args);
  if (ran.code !== 0) throw new Error(`${args.join(" ")}: ${ran.stderr}`);
  return ran.json;
};
const file = (name: string, value: unknown): string => {
  writeFileSync(join(box.path, name), JSON.stringify(value));
  return name;
};
const publishAgent = (more: JsonObject, name = "triage") =>
  ok(
    "agent",
    "publish",
    file(`${name}.json`, {
      name,
      version: "1.0.0",
      instructions: "Sort what you are given.",
      model: { name: "stub-model" },
      ...more,
    }),
  );
const documentOf = (name: string, tasks: object[]): string =>
  file(`${name}.json`, { document: { dsl: "1.0.3", namespace: "t", name, version: "1.0.0" }, do: tasks });
async function finished(name: string, tasks: object[]) {
  const started = await ok("workflow", "start", documentOf(name, tasks), "--input", '{"text":"it crashes"}');
  const run = started["run_id"] as string;
  await eventually(
    async () => (await ok("run", "get", run))["status"] as string,
    (status) => ["succeeded", "failed", "cancelled"].includes(status),
  );
  return { run, text: JSON.stringify(await ok("run", "get", run)) };
}
const agent = (given: object = {}) => ({
  call: "agent",
  with: { agent: "triage", prompt: "Which kind is it?", input: "${ $workflow.input }", ...given },
});
const command = { run: { shell: { command: "printf", arguments: [PRIVATE] } } };
const boundaries = (type: string) => JSON.stringify({ tenantDataToSaas: type === "allowed" });
const tenantPolicy = (type: "allowed" | "refused") => {
  writeFileSync(join(box.path, "tenant-policy.json"), boundaries(type));
  return ok("policy", "publish", "tenant", "tenant-policy.json");
};
const audited = async (action: string) =>
  ((await ok("audit", "tail", "--action", action))["entries"] as { body: JsonObject }[]).at(-1)!.body;

test("an agent is immutable, listed, and found by its version", async () => {
  expect(await publishAgent({ outputSchema: KIND })).toMatchObject({ created: false });
  const changed = await lightflow(
    "agent",
    "publish",
    file("triage.json", { name: "triage", version: "1.0.0", instructions: "Other." }),
  );
  expect(changed.stderr).toContain("a published version never changes");
  expect((await ok("agent", "list"))["agents"]).toMatchObject([{ name: "triage", version: "1.0.0" }]);
  expect(await ok("agent", "get", "triage:1.0.0")).toMatchObject({
    agent: { instructions: "Sort what you are given." },
  });
  expect((await lightflow("agent", "get", "triage:2.0.0")).stderr).toContain("not found");
});

test("RN-33, RN-35: a native agent answers through /ctx, with what it was given and nothing else", async () => {
  const { text } = await finished("native", [{ sort: agent() }]);
  expect(text).toContain('"kind":"bug"');
  expect(model.seen).toHaveLength(1);
  const sent = JSON.stringify(model.seen[0]!.body);
  expect(sent).toContain("it crashes");
  expect(sent).not.toContain('"tools"');
  expect(await audited("agent.placed")).toMatchObject({
    agentPlacement: "workflow",
    dataBoundary: "saas-workflow-context",
    privateData: false,
  });
  expect(await audited("agent.ended")).toMatchObject({
    outcome: "succeeded",
    attempt: 1,
    usage: { turns: 1 },
    reference: expect.stringContaining("/sort"),
  });
});

test("SR-7.1: output of a runner in the input of a native agent is refused, and no byte of it reaches the model", async () => {
  await tenantPolicy("refused");
  const { text } = await finished("private", [
    { build: command },
    { sort: agent({ mode: "native", input: "${ . }" }) },
  ]);
  expect(text).toContain("its input is private to the tenant");
  expect(model.seen).toEqual([]);
  expect(await audited("agent.refused")).toMatchObject({
    privateData: true,
    code: "execution_policy_denied",
  });
  // What reads the workflow's own input alone is no secret of the tenant's network.
  expect((await finished("public", [{ build: command }, { sort: agent() }])).text).toContain('"kind":"bug"');
  expect(JSON.stringify(model.seen)).not.toContain(PRIVATE);
});

test("SR-7.1: however it comes in, what a runner said is refused, and reaches no model", async () => {
  await tenantPolicy("refused");
  const failing = { run: { shell: { command: "sh", arguments: ["-c", `echo ${PRIVATE} >&2; exit 1`] } } };
  const asks = (input: string, mode = { mode: "native" }) => ({ sort: agent({ ...mode, input }) });
  for (const [name, tasks] of [
    [
      "shaped",
      [{ build: command }, { shape: { set: { short: "${ . | tojson | length }" } } }, asks("${ . }")],
    ],
    ["exported", [{ build: { ...command, export: { as: "${ . }" } } }, asks("${ $context }")]],
    [
      "caught",
      [{ guarded: { try: [{ build: failing }], catch: { errors: {}, as: "e", do: [asks("${ $e }")] } } }],
    ],
    ["inside", [{ build: command }, { outer: { do: [asks("${ . }")] } }]],
    [
      "prompted",
      [{ build: command }, { sort: agent({ mode: "native", prompt: "${ . | tojson }", input: "x" }) }],
    ],
  ] as [string, object[]][]) {
    const { text } = await finished(name, tasks);
    expect([name, text.includes("its input is private to the tenant")]).toEqual([name, true]);
  }
  expect(model.seen).toEqual([]);
  expect(await audited("agent.refused")).toMatchObject({ privateData: true });
});

test("SR-7.2: where tenant policy allows it, it is sent, and the boundary is in the audit", async () => {
  await tenantPolicy("allowed");
  const { text } = await finished("allowed", [{ build: command }, { sort: agent({ input: "${ . }" }) }]);
  expect(text).toContain('"kind":"bug"');
  expect(JSON.stringify(model.seen)).toContain(PRIVATE);
  expect(await audited("agent.placed")).toMatchObject({
    privateData: true,
    dataBoundary: "saas-workflow-context",
  });
});

test("SR-7.1: what is private stays so through an event, into the run that it starts, and when that is run again", async () => {
  await tenantPolicy("refused");
  const hears = await ok(
    "workflow",
    "start",
    documentOf("hears", [
      { hear: { listen: { to: { one: { with: { type: "made" } } } } } },
      { sort: agent({ mode: "native", input: "${ . }" }) },
    ]),
  );
  const endOf = async (run: string): Promise<string> => {
    const view = () => ok("run", "get", run);
    await eventually(
      async () => (await view())["status"] as string,
      (status) => ["succeeded", "failed", "cancelled"].includes(status),
    );
    return JSON.stringify(await view());
  };
  await eventually(
    async () => JSON.stringify(await ok("run", "get", hears["run_id"] as string)),
    (text) => text.includes('"waiting"') || text.includes('"running"'),
  );
  await finished("tells", [
    { build: command },
    { tell: { emit: { event: { with: { type: "made", data: "${ . }" } } } } },
  ]);
  expect(await endOf(hears["run_id"] as string)).toContain("its input is private to the tenant");

  await ok("workflow", "publish", documentOf("started", [{ sort: agent({ mode: "native" }) }]));
  const start = (run: string, more: object) =>
    ok(
      "event",
      "send",
      JSON.stringify({
        type: "workflow.start.main",
        data: {
          workflow: { namespace: "t", name: "started" },
          input: { text: "it crashes" },
          run_id: run,
        },
        ...more,
      }),
    );
  const known = (run: string) =>
    eventually(
      async () => (await lightflow("run", "get", run)).code,
      (code) => code === 0,
    );
  await start("marked", { lightflowprivate: true });
  await known("marked");
  expect(await endOf("marked")).toContain("its input is private to the tenant");
  await ok("run", "replay", "marked", "--id", "again");
  expect(await endOf("again")).toContain("its input is private to the tenant");
  expect(model.seen).toEqual([]);
  await start("unmarked", {});
  await known("unmarked");
  expect(await endOf("unmarked")).toContain('"kind":"bug"');
});

test("RN-54: an agent with tools never runs in the workflow process, nor with the service's models on a runner", async () => {
  await tenantPolicy("refused");
  await publishAgent({ tools: ["git"], model: { name: "stub-model", scope: "saas" } }, "repair");
  const native = await finished("tools", [{ fix: agent({ agent: "repair", mode: "native" }) }]);
  expect(native.text).toContain("it uses tools: git");
  // SR-6.1: the service's models are no runner's, whatever the agent says.
  const runner = await finished("saas", [{ fix: agent({ agent: "repair", mode: "runner" }) }]);
  expect(runner.text).toContain("calls the service's models only where the tenant's policy says so");
  expect(model.seen).toEqual([]);
  await tenantPolicy("allowed");
});

for (const [what, behave, given, code] of [
  ["an answer that is no JSON, each time", { text: "it is a bug" }, {}, "agent_output_invalid"],
  ["an answer of the wrong shape", { text: '{"sort":1}' }, {}, "agent_output_invalid"],
  ["a budget that is used up", { text: "no" }, { tokenBudget: 5 }, "agent_budget_exhausted"],
  ["a provider that refuses", { failures: Array(20).fill({ status: 400 }) }, {}, "agent_model_failed"],
] as const) {
  test(`${what}: ${code}, which the workflow goes on from`, async () => {
    model.state.behaviour = structuredClone(behave) as never;
    const type = `https://agentic-workflow.org/errors/${code.replaceAll("_", "-")}`;
    const { text } = await finished("caught", [
      {
        guarded: {
          try: [{ sort: agent(given) }],
          catch: {
            errors: { with: { type } },
            as: "e",
            do: [{ note: { set: { caught: "${ $e.data.code }" } } }],
          },
        },
      },
    ]);
    expect(text).toContain(`"caught":"${code}"`);
  });
}

test("SR-6.2: the credential of the model is nowhere but where it is used", async () => {
  const { text } = await finished("environment", [{ show: { run: { shell: { command: "env" } } } }]);
  expect(text).not.toContain(CANARY);
  expect(model.seen.every(({ headers }) => headers["authorization"] === `Bearer ${CANARY}`)).toBe(true);
  for (const folder of ["state", "cache", "config"]) {
    const found = Bun.spawnSync(["grep", "-rl", CANARY, join(box.path, folder)]);
    expect(found.stdout.toString()).toBe("");
  }
  expect(host.stderr()).not.toContain(CANARY);
});

test("RN-53: an agent service is called by name alone: sessions, progress, the same message again, cancellation", async () => {
  const service = await startBinary(["agent", "serve", "triage", "--port", "0"], env, box.path);
  try {
    const endpoint = `${service.ready["url"]}/a2a`;
    const task = (more: object = {}) => ({
      call: "agent-service",
      with: { agent: "triage", endpoint, prompt: "Which?", session: "talk-1", ...more },
    });
    // Calls of a host go to the public Internet alone; a run of one's own goes wherever its user may.
    const run = async (tasks: object[]) =>
      (await ok("workflow", "run", documentOf("service", tasks))) as JsonObject;
    const refused = await finished("refused", [{ sort: task() }]);
    expect(refused.text).toContain("failed");
    expect(model.seen).toEqual([]);

    const answered = JSON.stringify(await run([{ sort: task() }, { again: task({ prompt: "And now?" }) }]));
    expect(answered).toContain('"kind":"bug"');
    const second = model.seen.at(-1)!.body["messages"] as { role: string; content: string }[];
    expect(second.map(({ role }) => role)).toEqual(["system", "user", "assistant", "user"]);

    const rpc = async (method: string, params: JsonObject) => {
      const response = await fetch(endpoint, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
      });
      return (await response.json()) as { result: JsonObject; error?: { code: number } };
    };
    const message = { kind: "message", role: "user", messageId: "m-1", parts: [{ kind: "text", text: "x" }] };
    const first = await rpc("message/send", { message });
    const before = model.seen.length;
    expect((await rpc("message/send", { message })).result["id"]).toBe(first.result["id"]!);
    expect(model.seen.length).toBe(before);

    const held = Promise.withResolvers<void>();
    model.state.behaviour = { text: '{"kind":"late"}', hold: held.promise };
    const slow = rpc("message/send", { message: { ...message, messageId: "m-2" } });
    await eventually(
      async () => model.seen.length,
      (seen) => seen > before,
    );
    const stream = await fetch(endpoint, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "message/stream",
        params: { message: { ...message, messageId: "m-2" } },
      }),
    });
    const events = stream.body!.getReader();
    const told = new TextDecoder().decode((await events.read()).value);
    expect(told).toContain('"state":"working"');
    const id = /"kind":"task","id":"([^"]+)"/.exec(told)![1]!;
    expect((await rpc("tasks/cancel", { id })).result).toMatchObject({ status: { state: "canceled" } });
    expect((await slow).result).toMatchObject({ status: { state: "canceled" } });
    expect((await rpc("tasks/cancel", { id })).error!.code).toBe(-32002);
    held.resolve();
    await events.cancel();
  } finally {
    await service.stop();
  }
});

/** A command that fails, and an agent that is asked why: in the workflow process, or nowhere. */
const diagnosed = (name: string, mode = "native") =>
  finished(name, [
    {
      build: {
        try: [
          { test: { run: { shell: { command: "sh", arguments: ["-c", `echo ${PRIVATE} >&2; exit 3`] } } } },
        ],
        catch: {
          as: "problem",
          do: [{ why: { call: "agent", with: { agent: "triage", mode, diagnose: "${ $problem }" } } }],
        },
      },
    },
  ]);

test("SR-7.3: a native diagnosis sees the summary alone where policy lets it out, and is skipped with its reason where not", async () => {
  await tenantPolicy("allowed");
  const { text } = await diagnosed("diagnosed");
  expect(text).toContain('"kind":"bug"');
  expect(model.seen).toHaveLength(1);
  const [, asked] = model.seen[0]!.body["messages"] as { content: string }[];
  expect(asked!.content).toContain(`exit code 3: ${PRIVATE}`);
  expect(await audited("agent.placed")).toMatchObject({
    diagnosis: true,
    privateData: true,
    agentPlacement: "workflow",
    dataBoundary: "saas-workflow-context",
  });

  model.seen.length = 0;
  await tenantPolicy("refused");
  const kept = await diagnosed("kept-in");
  expect(kept.text).toContain('"status":"succeeded"');
  expect(kept.text).toContain('"skipped":{"code":"execution_policy_denied"');
  expect(await audited("agent.refused")).toMatchObject({
    diagnosis: true,
    skipped: true,
    reason: expect.stringContaining("its input is private to the tenant"),
  });
  writeFileSync(join(box.path, "tenant-policy.json"), '{"tenantDataToSaas":true,"aiDiagnosisAllowed":false}');
  await ok("policy", "publish", "tenant", "tenant-policy.json");
  expect((await diagnosed("unseen")).text).toContain("may not be shown to a model");
  // Not even on a runner, which a task may ask for by name.
  expect((await diagnosed("elsewhere", "runner")).text).toContain("may not be shown to a model");
  expect(model.seen).toEqual([]);
  await tenantPolicy("allowed");
});
