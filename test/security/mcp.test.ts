import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import type { JsonObject } from "../../src/base/json.ts";
import { runBinary, sandbox } from "../support/binary.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";
import { type ReleaseHost, releaseHost, releaseProfile } from "../support/release-host.ts";
import { startScriptedModel } from "../support/scripted-model.ts";

setDefaultTimeout(90_000);

/** Programs of the tenant's host that speak MCP, the whole way: a document, policy, a lease, a runner, and a server over stdio. */
const ROOT = join(import.meta.dir, "../..");
const NOTES = join(import.meta.dir, "../support/notes-server.mjs");
const SEEN = [...new Set([ROOT, realpathSync(join(ROOT, "node_modules"))])];
const MOUNTS = SEEN.map((source) => ({ source }));
const TOKEN = "the-token-of-the-notes-server";
const model = startScriptedModel();
const place = sandbox("mcp-ctx");
const mount = join(place.path, "ctx");
let ctx: Started;
let host: ReleaseHost;

beforeAll(async () => {
  const provider = {
    CORTEXFS_OPENAI_BASE_URL: model.url,
    CORTEXFS_OPENAI_API_KEY: "k",
    CORTEXFS_OPENAI_MODEL: "m",
  };
  ctx = await startBinary(["ctx", "serve", "--dir", mount], { ...place.env, ...provider }, place.path);
  const { allow } = releaseProfile(ROOT).policy;
  host = await releaseHost({
    runnerEnv: { LIGHTFLOW_CTX_MOUNT: mount, NOTES_TOKEN: TOKEN },
    runnerArgs: [...SEEN.flatMap((path) => ["--mount", path]), "--secret", "notes=env:NOTES_TOKEN"],
    profile: { allow: { ...allow, commandTemplates: ["*"], mounts: SEEN } },
  });
});
afterAll(async () => {
  await host?.stop();
  await ctx?.stop();
  model.stop();
  place.remove();
});

const ask = (name: string, given: JsonObject = {}, environment: JsonObject = {}): JsonObject => ({
  call: "mcp",
  with: {
    method: "tools/call",
    parameters: { name, arguments: given },
    transport: { stdio: { command: "node", arguments: [NOTES], environment } },
  },
  metadata: { lightWorkflow: { mounts: MOUNTS } },
});
function file(directory: string, name: string, tasks: JsonObject[], profile?: string): string {
  const runner = profile === undefined ? {} : { runner: { executionProfile: profile } };
  const document = {
    document: {
      dsl: "1.0.3",
      namespace: "t",
      name,
      version: "1.0.0",
      metadata: { lightWorkflow: runner },
    },
    use: { secrets: ["notes"] },
    do: tasks,
  };
  const path = join(directory, `${name}.json`);
  writeFileSync(path, JSON.stringify(document));
  return path;
}

test("RN-5: a document asks a server over stdio, and what goes wrong with it is caught by its name", async () => {
  const path = file(host.box.path, "asks", [
    { found: ask("find", { word: "${ .word }" }) },
    {
      gone: {
        try: [{ die: ask("die") }],
        catch: {
          errors: { with: { type: "https://serverlessworkflow.io/spec/1.0.0/errors/communication" } },
          as: "problem",
          do: [{ told: { set: { code: "${ $problem.data.code }" } } }],
        },
        input: { from: "${ . }" },
        output: { as: "${ { found: $input.content[0].text, code: .code } }" },
      },
    },
  ]);
  const env = host.box.env;
  await runBinary(["secret", "set", "notes"], { env, cwd: host.box.path, stdin: TOKEN });
  const ran = await runBinary(["workflow", "run", path, "--input", '{"word":"sum"}', "--json"], {
    env,
    cwd: host.box.path,
  });
  const report = JSON.parse(ran.stdout) as JsonObject;
  expect([report["error"], report["output"]]).toEqual([
    null,
    { found: "the note of sum", code: "mcp_server_ended" },
  ]);
});

test("a server gets its secret from its runner, nobody else sees it, and policy says who starts the server", async () => {
  const path = file(
    host.box.path,
    "secret",
    [{ told: ask("secret", {}, { TOKEN: "${ $secrets.notes }" }) }],
    "release",
  );
  const explained = (await host.lightflow(["policy", "explain", path])).json as {
    tasks: { type: string; runtime: string; reasons: string[]; network: string }[];
  };
  expect(explained.tasks).toMatchObject([
    {
      type: "call.mcp",
      runtime: "runner",
      reasons: ["node is a program, and the orchestrator starts none"],
      network: "deny-all",
    },
  ]);
  const run = await host.start([path]);
  expect(await host.ended(run)).toBe("succeeded");
  const shown = (await host.lightflow(["run", "get", run])).stdout;
  expect(shown).toContain("***");
  for (const form of [TOKEN, btoa(TOKEN), Buffer.from(TOKEN).toString("hex")]) {
    expect(shown).not.toContain(form);
    const found = Bun.spawnSync(["grep", "-rlF", form, join(host.box.path, "state")]);
    expect(found.stdout.toString()).toBe("");
  }
  // What it writes to stderr is the log of the step.
  expect((await host.lightflow(["run", "logs", run])).stderr).toContain("notes: ready");
});

test("RN-31: an agent that policy places on a runner has the tools of its server and a template, and no others", async () => {
  const template = {
    id: "count-words",
    executable: "/usr/bin/wc",
    fixedArguments: ["-w"],
    slots: [{ name: "file", argumentIndex: 1, pattern: "[a-z.]+" }],
  };
  const agent = {
    name: "reader",
    version: "1.0.0",
    instructions: "You read.",
    tools: ["write", "run", "mcp:notes/find"],
    mcpServers: [{ name: "notes", command: "node", arguments: [NOTES] }],
  };
  for (const [command, body] of [
    [["template", "publish", "-"], template],
    [["agent", "publish", "-"], agent],
  ] as const)
    expect(await host.lightflow([...command], JSON.stringify(body))).toMatchObject({ code: 0 });
  model.script(
    {
      call: [
        { name: "notes__find", arguments: { word: "sum" } },
        { name: "notes__publish", arguments: {} },
      ],
    },
    { call: [{ name: "write", arguments: { path: "a.txt", content: "one two three" } }] },
    { call: [{ name: "run", arguments: { command: "count", values: { file: "a.txt" } } }] },
    { say: "three words" },
  );
  const look: JsonObject = {
    call: "agent",
    with: { agent: "reader", prompt: "Count.", commands: [{ name: "count", template: "count-words" }] },
    metadata: { lightWorkflow: { mounts: MOUNTS } },
  };
  const path = file(host.box.path, "look", [{ look }], "release");
  const explained = (await host.lightflow(["policy", "explain", path])).json as { tasks: JsonObject[] };
  expect(explained.tasks).toMatchObject([
    {
      runtime: "runner",
      reasons: expect.arrayContaining(["it uses tools: write, run, mcp:notes/find"]),
      agent: { name: "reader", version: "1.0.0", placement: "runner", tools: agent.tools },
      command_template: null,
      network: "deny-all",
      refused: null,
    },
  ]);
  const run = await host.start([path]);
  expect(await host.ended(run)).toBe("succeeded");
  const shown = (await host.lightflow(["run", "get", run])).json;
  expect(shown["output"]).toBe("three words");
  const results = (model.seen.at(-1)!["messages"] as { role: string; content: string }[])
    .filter(({ role }) => role === "tool")
    .map(({ content }) => content);
  expect(results[0]).toBe("the note of sum");
  expect(results[1]).toStartWith("refused: there is no tool notes__publish");
  expect(results[3]).toBe("exit code 0\n3 a.txt\n");
});

test("a runner that is killed in the middle of a call of its agent's server says that it is not known, and asks nothing twice", async () => {
  const agent = {
    name: "waiter",
    version: "1.0.0",
    instructions: "You wait.",
    tools: ["mcp:notes/slow"],
    mcpServers: [{ name: "notes", command: "node", arguments: [NOTES], timeoutMs: 600_000 }],
  };
  expect(await host.lightflow(["agent", "publish", "-"], JSON.stringify(agent))).toMatchObject({ code: 0 });
  model.script({ call: [{ name: "notes__slow", arguments: {} }] }, { say: "never" });
  const wait: JsonObject = {
    call: "agent",
    with: { agent: "waiter", prompt: "Wait." },
    metadata: { lightWorkflow: { mounts: MOUNTS } },
  };
  const run = await host.start([file(host.box.path, "wait", [{ wait }], "release")]);
  const called = async () =>
    [...new Glob("**/leases/*/agent.jsonl").scanSync({ cwd: host.box.path, dot: true })].some((path) =>
      readFileSync(join(host.box.path, path), "utf8").includes('"tool.call"'),
    );
  await eventually(called, (found) => found);
  await host.killRunner();
  await host.startRunner();
  const open = async () =>
    ((await host.lightflow(["inbox", "list"])).json["tasks"] as Open[]).find(
      ({ kind, body }) => kind === "outcome_unknown" && body.step_id === "wait",
    );
  const task = (await eventually(open, (found) => found !== undefined))!;
  const { sha256 } = task.body.artifacts[0]!;
  const lines = (await host.lightflow(["artifact", "get", sha256])).stdout.trim().split("\n");
  const kinds = lines.map((line) => (JSON.parse(line) as { kind: string }).kind);
  expect(kinds.slice(-2)).toEqual(["tool.call", "interrupted"]);
  expect((await host.lightflow(["attempts", "resolve", task.id, "--as", "failed"])).code).toBe(0);
  expect(await host.ended(run)).toBe("failed");
  expect(model.seen).toHaveLength(1);
});

interface Open {
  readonly id: string;
  readonly kind: string;
  readonly body: { readonly step_id: string; readonly artifacts: readonly { readonly sha256: string }[] };
}
