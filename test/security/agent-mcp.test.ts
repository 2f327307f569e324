import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../src/base/canonical.ts";
import { newId } from "../../src/base/ids.ts";
import type { JsonObject } from "../../src/base/json.ts";
import { exampleLease } from "../../src/protocol/example.ts";
import type { AgentWork, McpServer, TaskResult, UnsignedLease } from "../../src/protocol/index.ts";
import { runBinary, type Sandbox, sandbox } from "../support/binary.ts";
import { type Started, startBinary } from "../support/processes.ts";
import { startScriptedModel, type Turn } from "../support/scripted-model.ts";

setDefaultTimeout(60_000);

/** The tools of local MCP servers, and of templates, in an agent's hands: the executable, and a model that a test wrote down. */
let box: Sandbox;
let ctx: Started;
const model = startScriptedModel();
const ROOT = join(import.meta.dir, "../..");
const NOTES = join(import.meta.dir, "../support/notes-server.mjs");
const TOKEN = "the-token-of-the-notes-server";
const SEEN = [...new Set([ROOT, realpathSync(join(ROOT, "node_modules"))])];

beforeAll(async () => {
  box = sandbox("agent-mcp");
  const provider = {
    CORTEXFS_OPENAI_BASE_URL: model.url,
    CORTEXFS_OPENAI_API_KEY: "key",
    CORTEXFS_OPENAI_MODEL: "m",
  };
  ctx = await startBinary(
    ["ctx", "serve", "--dir", join(box.path, "ctx")],
    { ...box.env, ...provider },
    box.path,
  );
});
afterAll(async () => {
  await ctx.stop();
  model.stop();
  box.remove();
});

async function exec(overrides: Partial<UnsignedLease>): Promise<TaskResult> {
  const leaseId = newId();
  const lease = exampleLease({ leaseId, workspace: { mode: "ephemeral", key: leaseId }, ...overrides });
  const ran = await runBinary(
    [
      ...["runner", "exec", "-", "--json", "--data-dir", join(box.path, "state/runner")],
      ...["--secret", "token=env:NOTES_TOKEN"],
    ],
    {
      env: { ...box.env, LIGHTFLOW_CTX_MOUNT: join(box.path, "ctx"), NOTES_TOKEN: TOKEN },
      cwd: box.path,
      stdin: JSON.stringify(lease),
    },
  );
  const answer = JSON.parse(ran.stdout === "" ? "{}" : ran.stdout) as TaskResult;
  if (answer.status === undefined) throw new Error(ran.stdout + ran.stderr);
  return answer;
}

const INSTANCE = newId();
let made: Promise<string> | undefined;
/** A session's workspace with one file; nothing changes it. */
function session(): Promise<string> {
  made ??= (async () => {
    const key = newId();
    const script = "mkdir -p src && echo 'exports.sum = 1;' >src/sum.js";
    const ran = await exec({
      wfInstanceId: INSTANCE,
      workspace: { mode: "session", key },
      task: { type: "run.shell", command: "sh", arguments: ["-ec", script], environment: {} },
    });
    expect(ran.status).toBe("succeeded");
    return key;
  })();
  return made;
}

const notes = (more: Partial<McpServer> = {}): McpServer => ({
  name: "notes",
  command: "node",
  arguments: [NOTES],
  environment: {},
  secrets: {},
  pins: {},
  timeoutMs: 20_000,
  ...more,
});

async function agent(turns: Turn[], more: Partial<AgentWork>, environment = {}): Promise<TaskResult> {
  model.script(...turns);
  return await exec({
    wfInstanceId: INSTANCE,
    taskType: "call.agent",
    task: { type: "run.shell", command: "lightflow", arguments: ["agent"], environment },
    sandbox: { mode: "per-agent-call" },
    mounts: SEEN.map((path) => ({ source: path, target: path, readOnly: true })),
    output: "json",
    secretPolicy: "task-scoped",
    agent: {
      name: "mender",
      modelProviderScope: "tenant",
      dataBoundary: "tenant-network",
      instructions: "You look things up.",
      prompt: "What is there?",
      allowedTools: ["mcp:notes/find"],
      mcpServers: [notes()],
      commands: [],
      budgets: { turns: 20, tokens: 100_000, bytes: 10_000_000 },
      copyOf: await session(),
      protectedPaths: [],
      ...more,
    },
  });
}

const calls = (...named: (string | [string, JsonObject])[]): Turn => ({
  call: named
    .map((each) => (typeof each === "string" ? [each, {}] : each))
    .map(([name, args]) => ({
      name: name as string,
      arguments: args as JsonObject,
    })),
});
const DONE: Turn = { say: "done" };
const toolResults = () =>
  (model.seen.at(-1)!["messages"] as { role: string; content: string }[])
    .filter(({ role }) => role === "tool")
    .map(({ content }) => content);
const offeredNames = () =>
  (model.seen[0]!["tools"] as { function: { name: string } }[]).map(({ function: { name } }) => name);
function transcript(result: TaskResult): JsonObject[] {
  const found = result.artifactRefs.find(({ name }) => name === "agent-transcript.jsonl")!;
  for (const path of new Bun.Glob(`**/${found.sha256}`).scanSync({ cwd: box.path, dot: true }))
    return readFileSync(join(box.path, path), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as JsonObject);
  throw new Error("the transcript is nowhere");
}

test("RN-31: a tool of a local MCP server is called in the agent's sandbox, on its copy of the files, and each call is written down first", async () => {
  const result = await agent(
    [calls(["notes__find", { word: "sum" }], "notes__read"), calls("notes__write", "notes__fail"), DONE],
    {
      allowedTools: ["read", "mcp:notes/find", "mcp:notes/read", "mcp:notes/write", "mcp:notes/fail"],
    },
  );
  expect([result.status, result.summary]).toEqual(["succeeded", "exit code 0"]);
  expect(result.changedFiles).toEqual(["src/note.txt"]);
  expect(offeredNames()).toEqual(["read", "notes__find", "notes__read", "notes__write", "notes__fail"]);
  expect(toolResults()).toEqual([
    "the note of sum",
    "exports.sum = 1;\n",
    "written",
    "failed: it did not work",
  ]);
  const lines = transcript(result);
  const kinds = lines.map(({ kind }) => kind);
  expect(kinds.indexOf("tools.offered")).toBeLessThan(kinds.indexOf("model.request"));
  expect(lines.filter(({ kind }) => kind === "tool.call")[0]).toMatchObject({
    name: "notes__find",
    server: "notes",
    tool: "find",
    arguments: '{"word":"sum"}',
  });
  expect(lines.filter(({ kind }) => kind === "tool.result").map(({ ok }) => ok)).toEqual([
    true,
    true,
    true,
    false,
  ]);
});

test("SR-9.2: a tool that the lease does not name does not exist, whatever the server offers and whatever it is called", async () => {
  const result = await agent(
    [
      calls(
        "notes__publish",
        "mcp:notes/publish",
        "publish",
        "mcp:notes/find",
        "find",
        "notes__Find",
        "other__find",
        "run",
      ),
      calls(
        ["notes__find", { word: "far too long a word" }],
        ["notes__find", {}],
        ["notes__find", { word: "ok" }],
      ),
      DONE,
    ],
    {},
  );
  expect(result).toMatchObject({ status: "succeeded", changedFiles: [] });
  expect(JSON.stringify(model.seen[0]!["tools"])).not.toContain("publish");
  const results = toolResults();
  expect(results.slice(0, 8).every((text) => text.startsWith("refused: there is no tool"))).toBe(true);
  // Arguments that do not fit the tool's own schema never reach the server.
  expect(results[8]).toContain("the arguments do not fit the tool: /word");
  expect(results[9]).toContain("the arguments do not fit the tool: / must have required property 'word'");
  expect(results[10]).toBe("the note of ok");
  expect(transcript(result).filter(({ kind }) => kind === "tool.refused")).toHaveLength(8);
});

for (const [what, more, code] of [
  [
    "tools of two servers by one name",
    {
      allowedTools: ["mcp:a.b/find", "mcp:a_b/find"],
      mcpServers: [notes({ name: "a.b" }), notes({ name: "a_b" })],
    },
    "agent_tool_conflict",
  ],
  ["a built-in tool by two names", { allowedTools: ["read", "Read"], mcpServers: [] }, "agent_tool_conflict"],
  ["a tool that its server does not offer", { allowedTools: ["mcp:notes/forget"] }, "agent_tool_missing"],
  [
    "a tool that is not what it was",
    { mcpServers: [notes({ pins: { find: digestOf({ name: "find" }) } })] },
    "agent_tool_changed",
  ],
  ["a server that is not there", { mcpServers: [notes({ command: "/no/such" })] }, "mcp_start_failed"],
  [
    "a server that ends",
    { mcpServers: [notes({ arguments: ["-e", "process.exit(3)"] })] },
    "mcp_server_ended",
  ],
  [
    "a server that prints garbage",
    { mcpServers: [notes({ command: "yes", arguments: ["garbage"] })] },
    "mcp_output_invalid",
  ],
  [
    "a server with a secret of another task",
    { mcpServers: [notes({ environment: { TOKEN: "runner-secret://token" } })] },
    "secret_denied",
  ],
  [
    "a template that is not the approved one",
    {
      templates: [
        { name: "count", digest: digestOf({}), template: { id: "count", executable: "/usr/bin/wc" } },
      ],
    },
    "template_denied",
  ],
  [
    "a server that changes how programs start",
    { mcpServers: [notes({ environment: { LD_PRELOAD: "/tmp/x.so" } })] },
    "execution_policy_denied",
  ],
] as [string, Partial<AgentWork>, string][]) {
  test(`an agent with ${what} asks its model nothing: ${code}`, async () => {
    const result = await agent([DONE], more);
    expect(result).toMatchObject({ status: "failed", errorCode: code });
    expect(model.seen).toEqual([]);
  });
}

test("a tool that is what it was published as is offered, by the digest that the transcript shows", async () => {
  const shown = transcript(await agent([DONE], {})).find(({ kind }) => kind === "tools.offered")!;
  const pins = shown["tools"] as Record<string, string>;
  expect(Object.keys(pins)).toEqual(["find"]);
  const again = await agent([calls(["notes__find", { word: "a" }]), DONE], { mcpServers: [notes({ pins })] });
  expect(again.status).toBe("succeeded");
});

test("a server that dies in the middle of a call, one that is late, and a result of ten megabytes are told to the model, and it goes on", async () => {
  const result = await agent(
    [calls("notes__large"), calls("late__slow"), calls("notes__die", ["notes__find", { word: "a" }]), DONE],
    {
      allowedTools: ["mcp:notes/large", "mcp:notes/die", "mcp:notes/find", "mcp:late/slow"],
      mcpServers: [notes(), notes({ name: "late", timeoutMs: 500 })],
    },
  );
  expect(result.status).toBe("succeeded");
  const [large, slow, died, after] = toolResults();
  expect(large!.length).toBeLessThan(64 * 1024);
  expect(large).toContain("the end");
  expect(slow).toContain("took longer than 500 ms");
  expect(died).toBe("failed: the MCP server ended with exit code 7");
  expect(after).toBe(died!);
  const codes = transcript(result).flatMap(({ kind, code }) => (kind === "tool.result" ? [code] : []));
  expect(codes).toEqual([undefined, "mcp_timeout", "mcp_server_ended", "mcp_server_ended"]);
});

test("a model that calls a tool for ever uses up its turns", async () => {
  const result = await agent([calls(["notes__find", { word: "a" }])], {
    budgets: { turns: 3, tokens: 100_000, bytes: 1_000_000 },
  });
  expect(result).toMatchObject({ status: "failed", errorCode: "agent_budget_exhausted" });
});

test("SR-8.7: the secret of a server is in no prompt, no transcript and no log, and no other process of the agent has it", async () => {
  const result = await agent(
    [calls("notes__secret"), calls("other__secret"), DONE],
    {
      allowedTools: ["mcp:notes/secret", "mcp:other/secret"],
      mcpServers: [notes({ secrets: { TOKEN: "AGENT_SECRET_0" } }), notes({ name: "other" })],
    },
    { AGENT_SECRET_0: "runner-secret://token" },
  );
  expect(result.status).toBe("succeeded");
  const seen = JSON.stringify(model.seen) + JSON.stringify(transcript(result)) + JSON.stringify(result);
  for (const form of [TOKEN, btoa(TOKEN), Buffer.from(TOKEN).toString("hex"), "NOTES_TOKEN"])
    expect(seen).not.toContain(form);
  const [own, other] = toolResults();
  expect(own).toContain("***");
  expect(own).not.toContain("AGENT_SECRET_0");
  // The other server has an empty one: nothing is to be masked there.
  expect(other!.startsWith("\n\n\n{")).toBe(true);
  const found = Bun.spawnSync(["grep", "-rlF", TOKEN, join(box.path, "state")]);
  expect(found.stdout.toString()).toBe("");
});

const COUNT = {
  id: "count-words",
  description: "Counts words.",
  executable: "/usr/bin/wc",
  fixedArguments: ["-w", "--"],
  slots: [{ name: "file", argumentIndex: 2, pattern: "[a-z]+/[a-z.]+", maximumBytes: 64 }],
};

const WAIT = { id: "wait", executable: "/usr/bin/sleep", fixedArguments: ["60"], limits: { taskMs: 200 } };

test("a model runs a template with its own values: what does not fit its slots is refused, and the command is made outside the sandbox", async () => {
  const run = (values: unknown): [string, JsonObject] => ["run", { command: "count", values } as JsonObject];
  const result = await agent(
    [
      calls(run({ file: "src/sum.js" })),
      calls(
        run({ file: "../../etc/passwd" }),
        run({ file: "-c" }),
        run({ file: "src/a$(id)" }),
        run({}),
        run({ file: "src/sum.js", more: "x" }),
        run({ file: 1 }),
        run(["src/sum.js"]),
        ["run", { command: "other" }],
      ),
      calls(["run", { command: "wait" }], ["run", { command: "leave" }]),
      DONE,
    ],
    {
      allowedTools: ["run"],
      mcpServers: [],
      commands: [
        { name: "leave", command: "sh", arguments: ["-c", "echo left; setsid sleep 600 & sleep 600 &"] },
      ],
      templates: [
        { name: "count", digest: digestOf(COUNT), template: COUNT },
        { name: "wait", digest: digestOf(WAIT), template: WAIT },
      ],
    },
  );
  expect(result.status).toBe("succeeded");
  expect(JSON.stringify(model.seen[0]!["tools"])).toContain(
    "count: Counts words. values: file ([a-z]+/[a-z.]+)",
  );
  const [counted, ...refused] = toolResults();
  expect(counted).toContain("exit code 0\n3 src/sum.js");
  expect(refused.slice(0, 7).every((text) => text.startsWith("refused: "))).toBe(true);
  expect(refused[7]).toContain("there is no command other");
  // The template's own time holds, and what a command leaves behind holds nobody up.
  expect(refused.slice(8)).toEqual(["ended after 200 ms\n", "exit code 0\nleft\n"]);
  const lines = transcript(result);
  expect(lines.find(({ kind }) => kind === "tool.call")).toMatchObject({
    run: { command: "/usr/bin/wc", arguments: ["-w", "--", "src/sum.js"] },
    template: { id: "count-words", digest: digestOf(COUNT) },
  });
  expect(lines.filter(({ kind }) => kind === "tool.refused")).toHaveLength(7);
});
