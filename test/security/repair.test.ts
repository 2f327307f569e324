import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../../src/base/canonical.ts";
import { runBinary, sandbox } from "../support/binary.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";
import { git, type ReleaseHost, releaseHost, repository } from "../support/release-host.ts";
import { startScriptedModel } from "../support/scripted-model.ts";

setDefaultTimeout(90_000);

/** The whole way: a workflow, policy, a lease, a runner beside the tenant's `/ctx`, and a scripted model. */
const model = startScriptedModel();
const place = sandbox("ctx");
const mount = join(place.path, "ctx");
let ctx: Started;
let host: ReleaseHost;

beforeAll(async () => {
  ctx = await startBinary(
    ["ctx", "serve", "--dir", mount],
    {
      ...place.env,
      CORTEXFS_OPENAI_BASE_URL: model.url,
      CORTEXFS_OPENAI_API_KEY: "the-tenants-key",
      CORTEXFS_OPENAI_MODEL: "m",
    },
    place.path,
  );
  host = await releaseHost({ runnerEnv: { LIGHTFLOW_CTX_MOUNT: mount } });
  writeFileSync(
    join(host.box.path, "mender.json"),
    JSON.stringify({
      name: "mender",
      version: "1.0.0",
      instructions: "You mend what fails.",
      tools: ["list", "read", "patch", "write", "run"],
      files: true,
      budgets: { turns: 12, tokens: 100_000, repairAttempts: 3 },
    }),
  );
  expect(await host.lightflow(["agent", "publish", "mender.json"])).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await host?.stop();
  await ctx?.stop();
  model.stop();
  place.remove();
});

const light = (more: object) => ({
  metadata: { lightWorkflow: { workspace: "session", output: "json", ...more } },
});
const shell = (script: string, more: object = {}) => ({
  run: { shell: { command: "sh", arguments: ["-ec", script] } },
  ...light(more),
});
const PLANT =
  "mkdir -p src .github && echo ci >.github/ci.yml && printf 'exports.sum = (a, b) => a - b;\\n' >src/sum.js && " +
  "printf 'if (require(\"./src/sum.js\").sum(2, 3) !== 5) process.exit(1);\\n' >test.js && echo '{}' >$LIGHTFLOW_OUTPUT";

function document(name: string, repair: object, profile = "release"): string {
  const path = join(host.box.path, `${name}.json`);
  const mend = {
    call: "agent",
    with: {
      agent: "mender",
      prompt: "The test fails: find out why, and mend it.",
      commands: [{ name: "test", command: "node", arguments: ["test.js"] }],
      repair: { command: "test", ...repair },
    },
    ...light({}),
  };
  writeFileSync(
    path,
    JSON.stringify({
      document: {
        dsl: "1.0.3",
        namespace: "t",
        name,
        version: "1.0.0",
        metadata: { lightWorkflow: { runner: { executionProfile: profile } } },
      },
      do: [
        { plant: shell(PLANT) },
        {
          build: {
            try: [{ test: shell("node test.js && echo '{}' >$LIGHTFLOW_OUTPUT") }],
            catch: { errors: {}, as: "problem", do: [{ mend }] },
          },
        },
      ],
    }),
  );
  return path;
}

test("a step that fails is handed to an agent under a lease, repaired in its second attempt, and the patch comes back", async () => {
  model.script(
    { call: [{ name: "read", arguments: { path: "src/sum.js" } }] },
    { call: [{ name: "patch", arguments: { path: "src/sum.js", old: "a - b", new: "b - a" } }] },
    { say: "mended" },
    { call: [{ name: "patch", arguments: { path: "src/sum.js", old: "b - a", new: "a + b" } }] },
    { say: "mended now" },
  );
  const run = await host.start([document("mend", { attempts: 2 })]);
  const status = await host.ended(run);
  const shown = (await host.lightflow(["run", "get", run])).json;
  expect([status, JSON.stringify(shown["error"])]).toEqual(["succeeded", "null"]);
  const output = shown["output"] as { output: unknown; artifacts: { name: string; sha256: string }[] };
  expect(output.output).toBe("mended now");
  expect(output.artifacts.map(({ name }) => name)).toEqual(["agent-transcript.jsonl", "changes.patch"]);
  const patch = await host.lightflow(["artifact", "get", output.artifacts[1]!.sha256]);
  expect(patch.stdout).toContain("+exports.sum = (a, b) => a + b;");
});

interface Unknown {
  readonly id: string;
  readonly kind: string;
  readonly body: { readonly artifacts: readonly { readonly name: string; readonly sha256: string }[] };
}

test("a runner that is killed in the middle of an agent's work delivers the transcript so far, and asks the model nothing twice", async () => {
  const held = Promise.withResolvers<void>();
  model.script(
    { call: [{ name: "patch", arguments: { path: "src/sum.js", old: "a - b", new: "a + b" } }] },
    { hold: held.promise },
  );
  const run = await host.start([document("killed", { attempts: 1 })]);
  await eventually(
    async () => model.seen.length,
    (seen) => seen === 2,
  );
  await host.killRunner();
  await host.startRunner();
  held.resolve();
  const asked = async () =>
    ((await host.lightflow(["inbox", "list"])).json["tasks"] as Unknown[]).find(
      ({ kind }) => kind === "outcome_unknown",
    );
  const task = (await eventually(asked, (found) => found !== undefined, 30))!;
  // Whoever has to decide sees how far it came. Of work that nobody saw the end of there is no patch.
  expect(task.body.artifacts.map(({ name }) => name)).toEqual(["agent-transcript.jsonl"]);
  const { sha256 } = task.body.artifacts[0]!;
  const lines = (await host.lightflow(["artifact", "get", sha256])).stdout.trim().split("\n");
  const entries = lines.map((line) => JSON.parse(line) as { kind: string; id?: string });
  expect(entries.map(({ kind }) => kind)).toEqual([
    ...["model.request", "model.response", "tool.call", "tool.result", "model.request"],
    "interrupted",
  ]);
  expect(entries.at(-1)).toMatchObject({ use: { turns: 2, inputTokens: 30 } });
  expect((await host.lightflow(["attempts", "resolve", task.id, "--as", "failed"])).code).toBe(0);
  expect(await host.ended(run)).toBe("failed");
  expect(model.seen).toHaveLength(2);
});

test("SR-9: an agent that publishes, writes CI and reads a secret gets nowhere, and the step fails with a named outcome", async () => {
  model.script(
    {
      call: [
        { name: "publish", arguments: {} },
        { name: "read", arguments: { path: "../../../../root/.ssh/id_ed25519" } },
        { name: "write", arguments: { path: ".github/ci.yml", content: "steal" } },
        { name: "patch", arguments: { path: "src/sum.js", old: "a - b", new: "a + b" } },
      ],
    },
    { say: "done" },
  );
  const run = await host.start([document("steal", { attempts: 1 })]);
  expect(await host.ended(run)).toBe("failed");
  expect((await host.lightflow(["run", "get", run])).json["error"]).toMatchObject({
    type: "https://agentic-workflow.org/errors/workspace-change-denied",
    data: { code: "workspace_change_denied", usage: { turns: 2, refusedTools: 1 } },
  });
  const results = (model.seen.at(-1)!["messages"] as { role: string; content: string }[])
    .filter(({ role }) => role === "tool")
    .map(({ content }) => content);
  expect(results[0]).toStartWith("refused: ");
  expect(results[1]).toContain("not in the workspace");
});

test("SR-9.1: a profile without repairs, or with fewer attempts, gives no lease", async () => {
  model.script({ say: "never asked" });
  const run = await host.start([document("toomany", { attempts: 9 })]);
  expect(await host.ended(run)).toBe("failed");
  expect(JSON.stringify((await host.lightflow(["run", "get", run])).json["error"])).toContain(
    "attempts of a repair",
  );
  expect(model.seen).toHaveLength(0);
});

test("SR-9.6: a patch becomes a branch by its digest alone, once, without a hook of the repository", async () => {
  const remote = repository(join(host.box.path, "remote"), {
    "src/sum.js": "exports.sum = (a, b) => a - b;\n",
  });
  const base = git(remote, "rev-parse", "HEAD");
  const hook = join(remote, ".git/hooks/reference-transaction");
  mkdirSync(join(remote, ".git/hooks"), { recursive: true });
  writeFileSync(hook, `#!/bin/sh\ntouch ${join(host.box.path, "hooked")}\n`, { mode: 0o755 });
  writeFileSync(join(remote, "src/sum.js"), "exports.sum = (a, b) => a + b;\n");
  const patch = `${git(remote, "diff")}\n`;
  git(remote, "checkout", "--quiet", "--", "src/sum.js");
  const inputs = join(host.box.path, "patches");
  mkdirSync(inputs);
  const digest = sha256(patch);
  writeFileSync(join(inputs, digest), patch);
  const given = { repository: remote, base, branch: "repair/sum", patch: `sha256:${digest}` };
  const act = (what: object) =>
    runBinary(["action-child", "branch"], {
      env: { ...host.box.env, LIGHTFLOW_INPUTS: inputs },
      cwd: host.box.path,
      stdin: JSON.stringify(what),
    });
  expect(await act(given)).toMatchObject({ code: 0 });
  expect((await act(given)).stdout).toContain("was made before");
  expect(git(remote, "show", "repair/sum:src/sum.js")).toContain("a + b");
  expect(git(remote, "rev-parse", "repair/sum^")).toBe(base);
  expect(readFileSync(join(remote, "src/sum.js"), "utf8")).toContain("a - b");
  expect((await act({ ...given, message: "another" })).stderr).toContain("conflict");
  writeFileSync(join(inputs, digest), patch.replace("a + b", "a * b"));
  expect((await act({ ...given, branch: "repair/other" })).stderr).toContain("artifact_digest_mismatch");
  expect(git(remote, "branch", "--list", "repair/other")).toBe("");
  expect(await Bun.file(join(host.box.path, "hooked")).exists()).toBe(false);
});
