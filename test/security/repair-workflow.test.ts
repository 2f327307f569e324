import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sandbox } from "../support/binary.ts";
import { startForge } from "../support/forge.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";
import { git, type ReleaseHost, releaseHost, repository } from "../support/release-host.ts";
import { startScriptedModel } from "../support/scripted-model.ts";

setDefaultTimeout(90_000);

/** The workflow that is shipped, from a failing test to a branch or a pull request. */
const TOKEN = "forge-token-91c2aa04";
const model = startScriptedModel();
const place = sandbox("repair-ctx");
const bare = join(place.path, "repositories");
const forge = startForge(bare, TOKEN);
let ctx: Started;
let host: ReleaseHost;
let project: string;

beforeAll(async () => {
  const mount = join(place.path, "ctx");
  const tokenFile = join(place.path, "token");
  writeFileSync(tokenFile, TOKEN, { mode: 0o600 });
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
  host = await releaseHost({
    profileId: "repair",
    profile: { network: "allowlisted" },
    runnerEnv: { LIGHTFLOW_CTX_MOUNT: mount },
    runnerArgs: ["--secret", `forge_token=file:${tokenFile}`],
  });
  project = repository(join(host.box.path, "sum"), {
    "package.json": '{"name":"sum","version":"1.0.0","scripts":{"test":"node test.js"}}\n',
    "sum.js": "module.exports = (a, b) => a - b;\n",
    "test.js":
      'const got = require("./sum.js")(2, 3);\nif (got !== 5) { console.error(`2 + 3 is ${got}`); process.exit(1); }\n',
  });
  mkdirSync(join(bare, "acme"), { recursive: true });
  git(place.path, "clone", "--quiet", "--bare", project, join(bare, "acme/sum.git"));
  git(join(bare, "acme/sum.git"), "config", "http.receivepack", "true");
  for (const [name, more] of Object.entries({
    diagnostician: { instructions: "You say why a step failed." },
    mender: {
      instructions: "You mend what fails.",
      tools: ["list", "read", "patch", "write", "run"],
      files: true,
      budgets: { turns: 12, tokens: 100_000, repairAttempts: 2 },
    },
  })) {
    writeFileSync(join(host.box.path, `${name}.json`), JSON.stringify({ name, version: "1.0.0", ...more }));
    expect(await host.lightflow(["agent", "publish", `${name}.json`])).toMatchObject({ code: 0 });
  }
});
afterAll(async () => {
  await host?.stop();
  await ctx?.stop();
  model.stop();
  forge.stop();
  place.remove();
});

const started = async (more: object = {}): Promise<string> => {
  const inputs = JSON.stringify({ repository: project, ...more });
  const ran = await host.lightflow([
    "run",
    "start",
    "workflow.repair_typescript",
    "--inputs",
    inputs,
    "--json",
  ]);
  if (ran.code !== 0) throw new Error(ran.stderr);
  return ran.json["run_id"] as string;
};
const shown = async (run: string) => (await host.lightflow(["run", "get", run])).json;
const leased = async () =>
  (
    (await host.lightflow(["runners", "list"])).json["runners"] as { session: { active_leases: number } }[]
  ).map(({ session }) => session.active_leases);
const placed = async (action: string) =>
  (
    (await host.lightflow(["audit", "tail", "--action", action])).json["entries"] as {
      body: Record<string, unknown>;
    }[]
  ).map(({ body }) => body);
const DIAGNOSIS = { say: JSON.stringify({ cause: "sum subtracts", category: "defect", files: ["sum.js"] }) };
const patchOf = (old: string, fresh: string) => ({
  call: [{ name: "patch", arguments: { path: "sum.js", old, new: fresh } }],
});

test("a failing test is diagnosed, mended in the second attempt, tried afresh, and becomes a branch once a person agrees", async () => {
  model.script(DIAGNOSIS, patchOf("a - b", "b - a"), { say: "mended" }, patchOf("b - a", "a + b"), {
    say: "mended now",
  });
  const run = await started();
  const approval = await host.approval(run, "branch");
  const { binding, target } = (await host.lightflow(["approvals", "show", approval])).json as {
    binding: { artifacts: string[] };
    target: string;
  };
  expect(target).toStartWith(`${project}/repair/`);
  expect(binding.artifacts).toHaveLength(1);
  expect(await leased()).toEqual([0]);
  expect(git(project, "branch", "--list", "repair/*")).toBe("");
  expect((await host.lightflow(["approvals", "approve", approval])).code).toBe(0);
  expect(await host.ended(run)).toBe("succeeded");
  const { output } = (await shown(run)) as { output: Record<string, string> };
  expect(output).toMatchObject({ failed: true, diagnosis: { cause: "sum subtracts" }, pull_request: null });
  expect(binding.artifacts).toEqual([`sha256:${output["patch"]}`]);
  expect(git(project, "show", `${output["branch"]}:sum.js`)).toContain("a + b");

  // SR-7: what the runner said is the tenant's, so that the tenant's model was asked, under a lease, without tools.
  const [diagnosis] = await placed("agent.placed");
  expect(diagnosis).toMatchObject({
    agent: "diagnostician:1.0.0",
    diagnosis: true,
    privateData: true,
    agentPlacement: "runner",
    dataBoundary: "tenant-network",
  });
  expect(model.seen[0]).not.toHaveProperty("tools");
  expect(JSON.stringify(model.seen[0])).toContain("2 + 3 is -1");
  // Its answer, as a structure, is what the one who mends begins with.
  expect(JSON.stringify(model.seen[1])).toContain("sum subtracts");
});

test("RN-42: an agent finds no push credential and no way out; the pull request is the runner's, after an approval", async () => {
  const remote = forge.remote("acme/sum");
  const attack = [
    "env; cat /proc/*/environ",
    `git push ${remote} HEAD:refs/heads/evil`,
    `node -e "fetch('${forge.api}').then(() => console.log('rea' + 'ched'))"`,
  ].join("; ");
  const manifest = (script: string) =>
    JSON.stringify({ name: "sum", version: "1.0.0", scripts: { test: script } });
  const original = git(project, "show", "HEAD:package.json");
  forge.seen.length = 0;
  model.script(
    DIAGNOSIS,
    {
      call: [
        {
          name: "write",
          arguments: { path: "package.json", content: manifest(`${attack}; exit 1`) },
        },
        { name: "run", arguments: { command: "test" } },
        { name: "push", arguments: {} },
        { name: "pull-request", arguments: { title: "evil" } },
        { name: "write", arguments: { path: "package.json", content: `${original}\n` } },
      ],
    },
    patchOf("a - b", "a + b"),
    { say: "mended" },
  );
  const run = await started({ project: "acme/sum", api: forge.api, remote });
  const approval = await host.approval(run, "pull_request");
  expect(forge.seen).toEqual([]);
  const told = JSON.stringify(model.seen);
  expect(told).toContain("LIGHTFLOW_OUTPUT");
  for (const never of [TOKEN, "reached", "the-tenants-key"]) expect(told).not.toContain(never);
  expect((await host.lightflow(["approvals", "approve", approval])).code).toBe(0);
  expect([await host.ended(run), JSON.stringify((await shown(run))["error"])]).toEqual(["succeeded", "null"]);
  const { output } = (await shown(run)) as { output: Record<string, string> };
  expect(forge.pulls).toMatchObject([{ head: { ref: output["branch"] }, base: { ref: "main" } }]);
  expect(output["pull_request"]).toBe(forge.pulls[0]!.html_url);
  expect(git(join(bare, "acme/sum.git"), "show", `${output["branch"]}:sum.js`)).toContain("a + b");
  expect(forge.pulls[0]!.body).toContain(`Patch: sha256:${output["patch"]}`);
  expect(forge.branchOf("acme/sum", "evil")).toBe("");
  // It went to the forge alone, and stands on no disk of this product.
  const found = Bun.spawnSync(["grep", "-rlF", TOKEN, join(host.box.path, "state")]);
  expect(found.stdout.toString()).toBe("");
});

test("SR-9.5: once its attempts are used up, the agent stops and a person is asked; nothing is published", async () => {
  model.script(DIAGNOSIS, { say: "I cannot" });
  const run = await started();
  const asked = async () =>
    ((await host.lightflow(["inbox", "list"])).json["tasks"] as { id: string; kind: string }[]).find(
      ({ kind }) => kind === "ask",
    );
  const question = (await eventually(asked, (found) => found !== undefined, 60))!;
  expect(await leased()).toEqual([0]);
  // The diagnosis, and one turn for each of two attempts.
  expect(model.seen).toHaveLength(3);
  expect((await host.lightflow(["ask", "answer", question.id, "fixed by hand"])).code).toBe(0);
  expect(await host.ended(run)).toBe("failed");
  expect(JSON.stringify((await shown(run))["error"])).toContain("fixed by hand");
});

test("SR-7.3: where a model may not see what failed, no model is asked, and the run says why", async () => {
  writeFileSync(join(host.box.path, "tenant.json"), '{"aiDiagnosisAllowed":false}');
  expect((await host.lightflow(["policy", "publish", "tenant", "tenant.json"])).code).toBe(0);
  model.script({ say: "never asked" });
  const run = await started();
  expect(await host.ended(run)).toBe("failed");
  expect(model.seen).toEqual([]);
  expect(JSON.stringify((await shown(run))["error"])).toContain("may not be shown to a model");
  expect((await placed("agent.refused")).map(({ agent, skipped }) => [agent, skipped])).toEqual([
    ["diagnostician:1.0.0", true],
    ["mender:1.0.0", undefined],
  ]);
});
