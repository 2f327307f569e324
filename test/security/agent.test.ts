import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newId } from "../../src/base/ids.ts";
import { exampleLease } from "../../src/protocol/example.ts";
import type { AgentWork, TaskResult, UnsignedLease } from "../../src/protocol/index.ts";
import { runBinary, type Sandbox, sandbox } from "../support/binary.ts";
import { type Started, startBinary } from "../support/processes.ts";
import { startScriptedModel, type Turn } from "../support/scripted-model.ts";

setDefaultTimeout(60_000);

/** An agent's lease from outside: the executable, a `/ctx` of its own, and a model that says what a test wrote down. */
let box: Sandbox;
let ctx: Started;
const model = startScriptedModel();
const CANARY = "canary-of-the-tenants-model-key";
const SECRET = "the-secret-of-this-very-runner";

beforeAll(async () => {
  box = sandbox("agent");
  ctx = await startBinary(
    ["ctx", "serve", "--dir", join(box.path, "ctx")],
    {
      ...box.env,
      CORTEXFS_OPENAI_BASE_URL: model.url,
      CORTEXFS_OPENAI_API_KEY: CANARY,
      CORTEXFS_OPENAI_MODEL: "scripted",
    },
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
    ["runner", "exec", "-", "--json", "--data-dir", join(box.path, "state/runner")],
    {
      env: { ...box.env, LIGHTFLOW_CTX_MOUNT: join(box.path, "ctx") },
      cwd: box.path,
      stdin: JSON.stringify(lease),
    },
  );
  const answer = JSON.parse(ran.stdout === "" ? "{}" : ran.stdout) as TaskResult & { result?: TaskResult };
  if (answer.status === undefined) throw new Error(ran.stdout + ran.stderr);
  return answer;
}

/** A session's workspace with a small project in which a test fails. */
async function session(): Promise<string> {
  const key = newId();
  const script = [
    "mkdir -p src .github/workflows",
    "printf 'exports.sum = (a, b) => a - b;\\n' >src/sum.js",
    'printf \'const { sum } = require("./src/sum.js");\\nif (sum(2, 3) !== 5) { console.error("sum(2, 3) is " + sum(2, 3)); process.exit(1); }\\n\' >test.js',
    "printf 'on: push\\n' >.github/workflows/ci.yml",
    "printf 'password=unseen\\n' >.env",
    "git init --quiet . && git add --all && git -c user.name=a -c user.email=a@b commit --quiet -m one",
  ].join("\n");
  const made = await exec({
    wfInstanceId: INSTANCE,
    workspace: { mode: "session", key },
    task: { type: "run.shell", command: "sh", arguments: ["-ec", script], environment: {} },
  });
  expect(made.status).toBe("succeeded");
  return key;
}
const INSTANCE = newId();

const TOOLS = ["list", "read", "search", "write", "patch", "run"];
const work = (more: Partial<AgentWork> = {}): AgentWork => ({
  name: "mender",
  modelProviderScope: "tenant",
  dataBoundary: "tenant-network",
  instructions: "You mend what fails.",
  prompt: "The test fails.",
  allowedTools: TOOLS,
  commands: [{ name: "test", command: "node", arguments: ["test.js"] }],
  budgets: { turns: 20, tokens: 100_000, bytes: 1_000_000 },
  protectedPaths: [],
  ...more,
});

async function agent(turns: Turn[], more: Partial<AgentWork> = {}): Promise<TaskResult> {
  model.script(...turns);
  return await exec({
    wfInstanceId: INSTANCE,
    taskType: "call.agent",
    task: { type: "run.shell", command: "lightflow", arguments: ["agent"], environment: {} },
    sandbox: { mode: "per-agent-call" },
    output: "json",
    agent: work(more),
  });
}

const artifact = (result: TaskResult, name: string): string => {
  const found = result.artifactRefs.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no ${name} in ${JSON.stringify(result)}`);
  const list = new Bun.Glob(`**/${found.sha256}`).scanSync({ cwd: box.path, dot: true });
  for (const path of list) return readFileSync(join(box.path, path), "utf8");
  throw new Error(`the bytes of ${name} are nowhere`);
};
const toolResults = () =>
  (model.seen.at(-1)!["messages"] as { role: string; content: string }[])
    .filter(({ role }) => role === "tool")
    .map(({ content }) => content);

test("a repair: the agent looks, changes it wrongly, is shown that the test still fails, mends it, and the patch is what it changed", async () => {
  const key = await session();
  const result = await agent(
    [
      {
        call: [
          { name: "list", arguments: {} },
          { name: "read", arguments: { path: "src/sum.js" } },
        ],
      },
      { call: [{ name: "patch", arguments: { path: "src/sum.js", old: "a - b", new: "b - a" } }] },
      { say: "It is mended." },
      { call: [{ name: "run", arguments: { command: "test" } }] },
      { call: [{ name: "patch", arguments: { path: "src/sum.js", old: "b - a", new: "a + b" } }] },
      { say: "Now it is." },
    ],
    { copyOf: key, verify: { command: "test", repairAttempts: 2 } },
  );
  expect(result).toMatchObject({ status: "succeeded", changedFiles: ["src/sum.js"], output: { repairs: 2 } });
  const patch = artifact(result, "changes.patch");
  expect(patch).toContain("-exports.sum = (a, b) => a - b;\n+exports.sum = (a, b) => a + b;");
  expect(patch.match(/^diff --git/gm)).toHaveLength(1);
  // The session itself is as it was.
  const data = new Bun.Glob(`**/workspaces/${key}/work/src/sum.js`).scanSync({
    cwd: box.path,
    dot: true,
    onlyFiles: true,
  });
  const kept = [...data];
  expect(kept).not.toEqual([]);
  for (const path of kept) expect(readFileSync(join(box.path, path), "utf8")).toContain("a - b");
  expect(JSON.stringify(model.seen.at(-1))).toContain("test still fails");
  // Each thing is written down before it happens: requests, answers, calls, verdicts.
  const transcript = artifact(result, "agent-transcript.jsonl")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(transcript.map(({ kind }) => kind).filter((kind) => kind === "model.request")).toHaveLength(6);
  expect(transcript.filter(({ kind }) => kind === "verified").map(({ ok }) => ok)).toEqual([false, true]);
  expect(transcript.at(-1)).toMatchObject({
    kind: "closed",
    use: { turns: 6, inputTokens: 180, outputTokens: 120, costMicros: null, refusedTools: 0 },
  });
  expect(result.agentUse).toMatchObject({ turns: 6, inputTokens: 180, outputTokens: 120, repairAttempts: 2 });
});

test("SR-9.2, SR-9.4: a tool that the lease does not name is refused, by whatever name; nothing happens, and it is written down", async () => {
  const key = await session();
  const result = await agent(
    [
      {
        call: [
          { name: "publish", arguments: { name: "x" } },
          { name: "push", arguments: {} },
          { name: "Run", arguments: { command: "test" } },
          { name: "write\u200b", arguments: { path: "x", content: "y" } },
          { name: "write", arguments: { path: "x", content: "y" } },
          { name: "__proto__", arguments: {} },
        ],
      },
      { say: "done" },
    ],
    { copyOf: key, allowedTools: ["read", "run"] },
  );
  expect(result).toMatchObject({ status: "succeeded", changedFiles: [] });
  expect(toolResults().every((text) => text.startsWith("refused: "))).toBe(true);
  const transcript = artifact(result, "agent-transcript.jsonl");
  expect(transcript.match(/"tool.refused"/g)).toHaveLength(6);
  expect(JSON.stringify(model.seen[0]!["tools"])).not.toContain('"write"');
});

for (const [what, calls] of [
  ["CI", [{ name: "write", arguments: { path: ".github/workflows/ci.yml", content: "evil" } }]],
  ["a hook", [{ name: "write", arguments: { path: ".git/hooks/pre-commit", content: "#!/bin/sh\n" } }]],
  ["a link", [{ name: "run", arguments: { command: "link" } }]],
] as const) {
  test(`SR-9.3: an agent that changes ${what} hands over no patch`, async () => {
    const result = await agent([{ call: calls }, { say: "done" }], {
      copyOf: await shared(),
      protectedPaths: ["release"],
      commands: [{ name: "link", command: "ln", arguments: ["-s", "/etc/passwd", "src/link.js"] }],
    });
    expect(result).toMatchObject({ status: "failed", errorCode: "workspace_change_denied" });
    expect(result.artifactRefs.map(({ name }) => name)).toEqual(["agent-transcript.jsonl"]);
  });
}
let sharedSession: Promise<string> | undefined;
/** Nothing changes the session itself, so one will do. */
const shared = () => {
  sharedSession ??= session();
  return sharedSession;
};

test("SR-6.2, SR-8.7: no key of the model is in the sandbox, no secret gets to the model, nothing of the host is seen", async () => {
  writeFileSync(join(box.path, "secret.txt"), SECRET);
  const result = await agent(
    [
      {
        call: [
          { name: "run", arguments: { command: "environment" } },
          { name: "read", arguments: { path: "../../../../etc/shadow" } },
          { name: "run", arguments: { command: "host" } },
          { name: "run", arguments: { command: "network" } },
        ],
      },
      { say: "done" },
    ],
    {
      copyOf: await shared(),
      commands: [
        {
          name: "environment",
          command: "sh",
          arguments: ["-c", "env; cat /proc/*/environ | tr '\\0' '\\n'"],
        },
        { name: "host", command: "cat", arguments: [join(box.path, "secret.txt")] },
        {
          name: "network",
          command: "sh",
          arguments: [
            "-c",
            `exec 3<>/dev/tcp/127.0.0.1/${new URL(model.url).port} || node -e 'fetch("${model.url}").then(()=>console.log("reached"))'`,
          ],
        },
      ],
    },
  );
  expect(result.status).toBe("succeeded");
  const everything = JSON.stringify(model.seen);
  expect(everything).not.toContain(CANARY);
  expect(everything).not.toContain(SECRET);
  expect(everything).not.toContain("reached");
  expect(toolResults()[1]).toContain("not in the workspace");
  const found = Bun.spawnSync(["grep", "-rlF", CANARY, join(box.path, "state")]);
  expect(found.stdout.toString()).toBe("");
});

for (const [what, turns, more, code] of [
  [
    "never ends",
    [{ call: [{ name: "list", arguments: {} }] }],
    { budgets: { turns: 4, tokens: 100_000, bytes: 1_000_000 } },
    "agent_budget_exhausted",
  ],
  [
    "uses up its tokens",
    [{ call: [{ name: "list", arguments: {} }] }],
    { budgets: { turns: 50, tokens: 120, bytes: 1_000_000 } },
    "agent_budget_exhausted",
  ],
  [
    // 30 tokens in and 20 out are 230 micros at these prices.
    "spends what it may",
    [{ call: [{ name: "list", arguments: {} }] }],
    {
      prices: { input: 1_000_000, output: 10_000_000 },
      budgets: { turns: 50, tokens: 100_000, bytes: 1_000_000, costMicros: 450 },
    },
    "agent_budget_exhausted",
  ],
  [
    "sends too much",
    [{ call: [{ name: "list", arguments: {} }] }],
    { budgets: { turns: 50, tokens: 100_000, bytes: 3000 } },
    "agent_budget_exhausted",
  ],
  ["says nothing that is an answer", [{ raw: { choices: [{ message: {} }] } }], {}, "agent_output_invalid"],
  [
    "calls a tool twice under one id",
    [
      {
        call: [
          { name: "list", arguments: {}, id: "a" },
          { name: "run", arguments: {}, id: "a" },
        ],
      },
    ],
    {},
    "agent_output_invalid",
  ],
  ["answers with what is no JSON", [{ raw: "<html>" }], {}, "agent_model_failed"],
  ["does not answer", [{ status: 400 }], {}, "agent_model_failed"],
  [
    "does not mend it",
    [{ say: "done" }],
    { verify: { command: "test", repairAttempts: 2 } },
    "agent_repair_failed",
  ],
] as [string, Turn[], Partial<AgentWork>, string][]) {
  test(`SR-9.5: a model that ${what} ends the agent with ${code}, and its transcript is kept`, async () => {
    const result = await agent(turns, { copyOf: await shared(), ...more });
    expect(result).toMatchObject({ status: "failed", errorCode: code });
    expect(artifact(result, "agent-transcript.jsonl")).toContain(`"${code}"`);
    // Counted outside the sandbox, and never beyond the turn that used a budget up.
    if (more.budgets?.costMicros !== undefined)
      expect(result.agentUse).toMatchObject({ turns: 2, costMicros: 460 });
  });
}

test("arguments that are none and a result of ten megabytes are told to the model, shortened, and it goes on", async () => {
  const result = await agent(
    [
      {
        call: [
          { name: "read", arguments: "{not json" },
          { name: "read", arguments: "[1]" },
          { name: "run", arguments: { command: "flood" } },
        ],
      },
      { say: "done" },
    ],
    {
      copyOf: await shared(),
      commands: [
        {
          name: "flood",
          command: "sh",
          arguments: ["-c", "head -c 10000000 /dev/zero | tr '\\0' x; echo the end"],
        },
      ],
    },
  );
  expect(result.status).toBe("succeeded");
  const [first, second, flood] = toolResults();
  expect([first, second]).toEqual([
    "the arguments are not a JSON object",
    "the arguments are not a JSON object",
  ]);
  expect(flood!.length).toBeLessThan(64 * 1024);
  expect(flood).toContain("the end");
});
