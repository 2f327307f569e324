import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Socket } from "bun";
import { newId } from "../../src/base/ids.ts";
import type { JsonObject } from "../../src/base/json.ts";
import { exampleLease } from "../../src/protocol/example.ts";
import type { TaskResult } from "../../src/protocol/index.ts";
import { runBinary, sandbox } from "../support/binary.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";

setDefaultTimeout(60_000);

/**
 * A provider that breaks in the middle of its answer, at each place where a model is asked. The prompt says how: `how:cut`.
 */
const WHOLE = JSON.stringify({
  choices: [{ index: 0, message: { role: "assistant", content: "half and half" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 5, completion_tokens: 5 },
});
const head = (type: string, length: number) =>
  `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\nconnection: close\r\n\r\n`;
const json = (body: string | Uint8Array, length = body.length) =>
  Buffer.concat([Buffer.from(head("application/json", length)), Buffer.from(body as string)]);
/** What is sent, and whether the connection then stays open in silence. */
const BROKEN: Record<string, { readonly bytes: Uint8Array; readonly stalls?: true }> = {
  cut: { bytes: json(WHOLE.slice(0, 60), WHOLE.length) },
  stall: { bytes: json(WHOLE.slice(0, 60), WHOLE.length), stalls: true },
  error: { bytes: json('{"error":{"message":"no capacity"}}') },
  character: { bytes: json(Buffer.from(WHOLE.replace("half and", "h\u00e4lf"), "latin1")) },
  events: { bytes: Buffer.from(`${head("text/event-stream", 19)}data: {"choices":[]`) },
  page: { bytes: Buffer.from(`${head("text/html", 6)}<html>`) },
};
const HOWS = Object.keys(BROKEN);
const fine: (typeof BROKEN)[string] = { bytes: json(WHOLE) };
const asked: string[] = [];
const provider = Bun.listen<{ text: string }>({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open(socket) {
      socket.data = { text: "" };
    },
    data(socket: Socket<{ text: string }>, part) {
      socket.data.text += part.toString();
      const { text } = socket.data;
      const start = text.indexOf("\r\n\r\n") + 4;
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (start < 4 || Buffer.byteLength(text.slice(start)) < length) return;
      asked.push(text.slice(start));
      const { bytes, stalls } =
        BROKEN[
          text
            .match(/how:(\w+)/g)
            ?.at(-1)
            ?.slice(4) ?? ""
        ] ?? fine;
      socket.write(bytes);
      socket.flush();
      if (stalls !== true) setTimeout(() => socket.end(), 5);
    },
  },
});

const box = sandbox("provider-errors");
const place = join(box.path, "ctx-tree");
const env = { ...box.env, LIGHTFLOW_CTX_MOUNT: place };
const channel = join(place, "chan/broken");
let ctx: Started;

/** For how long `/ctx` waits: short only for what is told at its end, so that a busy machine makes nothing else late. */
const PATIENT = "30000";
const HASTY = "400";
async function setting(name: string, value: string): Promise<void> {
  writeFileSync(join(channel, name), `${value}\n`);
  await eventually(
    async () => readFileSync(join(channel, name), "utf8").trim(),
    (now) => now === value,
  );
}
const patienceFor = (how: string) => setting("timeout_ms", how === "stall" ? HASTY : PATIENT);

beforeAll(async () => {
  mkdirSync(place);
  ctx = await startBinary(["ctx", "serve", "--dir", place], box.env, box.path);
  mkdirSync(channel, { recursive: true });
  await eventually(
    async () => existsSync(join(channel, "status")),
    (made) => made,
  );
  const settings = {
    url: `http://127.0.0.1:${provider.port}`,
    mod: "m",
    timeout_ms: PATIENT,
    prio: "9",
    enabled: "1",
  };
  for (const [name, value] of Object.entries(settings)) await setting(name, value);
  await eventually(
    async () => readFileSync(join(channel, "status"), "utf8"),
    (status) => status === "ready\n",
  );
  const agent = { name: "plain", version: "1.0.0", instructions: "Sort.", model: { name: "m" } };
  writeFileSync(join(box.path, "plain.json"), JSON.stringify(agent));
  await lightflow("agent", "publish", "plain.json");
});
afterAll(async () => {
  await ctx.stop();
  provider.stop(true);
  box.remove();
});

async function lightflow(...args: string[]): Promise<JsonObject> {
  const ran = await runBinary(args, { env, cwd: box.path });
  if (ran.code !== 0) throw new Error(ran.stderr);
  return JSON.parse(ran.stdout) as JsonObject;
}

function documentOf(name: string, tasks: object[]): string {
  const document = { document: { dsl: "1.0.3", namespace: "t", name, version: "1.0.0" }, do: tasks };
  writeFileSync(join(box.path, `${name}.json`), JSON.stringify(document));
  return `${name}.json`;
}
async function onHost(name: string, tasks: object[]): Promise<string> {
  const started = await lightflow("workflow", "start", documentOf(name, tasks));
  const ended = await eventually(
    () => lightflow("run", "get", started["run_id"] as string),
    (run) => ["succeeded", "failed"].includes(run["status"] as string),
  );
  return JSON.stringify(ended);
}
const guarded = (how: string, task: object) => ({
  [how]: {
    try: [{ ask: task }],
    catch: {
      errors: {},
      as: "e",
      do: [
        {
          note: {
            set: { note: '${ $e.type + " " + ($e.data.code // "") }' },
            export: { as: `\${ ($context // {}) + { ${how}: .note } }` },
          },
        },
      ],
    },
  },
});
const outcomes = { report: { set: { seen: "${ $context }" } } };
const every = (type: string) => HOWS.map((how) => `"${how}":"https://agentic-workflow.org/errors/${type}"`);

test("a native agent: each is agent-model-failed, and the workflow goes on from it", async () => {
  asked.length = 0;
  const host = await startBinary(["up", "--no-ctx", "--port", "0", "--controller-port", "0"], env, box.path);
  let said = "";
  for (const how of HOWS) {
    await patienceFor(how);
    const task = { call: "agent", with: { agent: "plain", prompt: `how:${how}` } };
    said += await onHost(`native-${how}`, [guarded(how, task), outcomes]);
  }
  for (const each of every("agent-model-failed agent_model_failed")) expect(said).toContain(each);
  expect(said).not.toContain("half");
  // The one that answered nothing whole was asked once: what it may have done is not repeated.
  expect(asked).toHaveLength(HOWS.length);
  const { entries } = (await lightflow("audit", "tail", "--action", "agent.ended")) as {
    entries: JsonObject[];
  };
  expect(entries.map(({ body }) => (body as JsonObject)["outcome"])).toEqual(
    HOWS.map(() => "agent_model_failed"),
  );
  await host.stop();
});

test("a model that calls tools which a native agent has not is told so, and ends as agent-output-invalid", async () => {
  const calls = [{ id: "1", type: "function", function: { name: "shell", arguments: '{"command":"rm"}' } }];
  const message = { role: "assistant", content: null, tool_calls: calls };
  BROKEN["tools"] = {
    bytes: json(JSON.stringify({ choices: [{ index: 0, message, finish_reason: "tool_calls" }] })),
  };
  asked.length = 0;
  await patienceFor("tools");
  const host = await startBinary(["up", "--no-ctx", "--port", "0", "--controller-port", "0"], env, box.path);
  const said = await onHost("tools", [
    guarded("tools", { call: "agent", with: { agent: "plain", prompt: "how:tools" } }),
    outcomes,
  ]);
  expect(said).toContain("errors/agent-output-invalid agent_output_invalid");
  expect(asked).toHaveLength(3);
  expect(asked.at(-1)).toContain("it calls tools, and there are none");
  expect(asked.join()).not.toContain('"tools":');
  await host.stop();
});

test("an exchange of a workflow with /ctx: each is an error with what the provider did", async () => {
  let said = "";
  for (const how of HOWS) {
    await patienceFor(how);
    const body = { model: "m", messages: [{ role: "user", content: `how:${how}` }] };
    const task = { call: "cortex", with: { target: { kind: "api", format: "openai.chat" }, body } };
    said += JSON.stringify(
      await lightflow("workflow", "run", documentOf(`exchange-${how}`, [guarded(how, task), outcomes])),
    );
  }
  for (const how of HOWS) {
    const code = how === "stall" ? "execution_timeout" : "unavailable";
    expect(said).toMatch(new RegExp(`"${how}":"[^"]*/errors/communication ${code}"`));
  }
  expect(said).not.toContain("half");
});

test("an agent's service: each is a failed task by that name, and its session forgets it", async () => {
  const service = await startBinary(["agent", "serve", "plain", "--port", "0"], env, box.path);
  const send = async (messageId: string, text: string) => {
    const message = {
      kind: "message",
      role: "user",
      messageId,
      contextId: "talk",
      parts: [{ kind: "text", text }],
    };
    const response = await fetch(`${service.ready["url"]}/a2a`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "message/send", params: { message } }),
    });
    return ((await response.json()) as { result: JsonObject }).result;
  };
  for (const how of HOWS) {
    await patienceFor(how);
    const task = await send(`m-${how}`, `how:${how}`);
    expect(task).toMatchObject({
      status: { state: "failed" },
      metadata: { lightflow: { failed: "agent_model_failed" } },
    });
    expect(JSON.stringify(task)).not.toContain("half");
  }
  await patienceFor("fine");
  expect(await send("m-fine", "and now?")).toMatchObject({ status: { state: "completed" } });
  const messages = (JSON.parse(asked.at(-1)!) as { messages: object[] }).messages;
  expect(messages).toMatchObject([{ role: "system" }, { role: "user", content: "and now?" }]);
  await service.stop();
});

test("a runner's agent: each ends it as agent_model_failed, with what was said in the transcript", async () => {
  for (const how of HOWS) {
    await patienceFor(how);
    const leaseId = newId();
    const lease = exampleLease({
      leaseId,
      workspace: { mode: "ephemeral", key: leaseId },
      taskType: "call.agent",
      task: { type: "run.shell", command: "lightflow", arguments: ["agent"], environment: {} },
      sandbox: { mode: "per-agent-call" },
      output: "json",
      agent: {
        name: "plain",
        modelProviderScope: "tenant",
        dataBoundary: "tenant-network",
        instructions: "Sort.",
        prompt: `how:${how}`,
        model: "m",
        allowedTools: [],
        commands: [],
        budgets: { turns: 3, tokens: 10_000, bytes: 100_000 },
        protectedPaths: [],
      },
    });
    const ran = await runBinary(["runner", "exec", "-", "--json", "--data-dir", join(box.path, "runner")], {
      env,
      cwd: box.path,
      stdin: JSON.stringify(lease),
    });
    const answer = JSON.parse(ran.stdout) as TaskResult & { result?: TaskResult };
    const result = answer.result ?? answer;
    expect([how, result.status, result.errorCode]).toEqual([how, "failed", "agent_model_failed"]);
    expect(result.output ?? null).toBeNull();
    expect(result.artifactRefs.map(({ name }) => name)).toContain("agent-transcript.jsonl");
  }
});
