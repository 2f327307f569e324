import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sandbox } from "../support/binary.ts";
import { startForge } from "../support/forge.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";
import { git, type ReleaseHost, releaseHost, repository } from "../support/release-host.ts";
import { startScriptedModel } from "../support/scripted-model.ts";

setDefaultTimeout(90_000);

/** The workflow that is shipped, from a failing test to a branch or a pull request. */
const TOKEN = "forge-token-91c2aa04";
const CANARY = "sk-of-the-service-4d1b88";
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
    hostEnv: { CORTEXFS_OPENAI_API_KEY: CANARY, OPENAI_API_KEY: CANARY, LIGHTFLOW_SECRET_OPENAI: CANARY },
    shipped: "repair",
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

/** The command lines of a process's children. */
const commandsBelow = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8")
      .split(" ")
      .filter((child) => child !== "")
      .map((child) => readFileSync(`/proc/${child}/cmdline`, "utf8").replaceAll("\0", " ")),
  );
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
  // Nothing is held for it meanwhile: no lease, no directory of one, no process in a sandbox.
  expect(await leased()).toEqual([0]);
  await eventually(
    async () => readdirSync(join(host.runnerData, "leases")),
    (left) => left.length === 0,
  );
  expect(commandsBelow(host.runnerPid()).filter((command) => /bwrap|-child/.test(command))).toEqual([]);
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
    `cat ${join(place.path, "token")}`,
    `git tag v9 && git push ${remote} v9`,
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
        ...["publish", "sign", "tag", "push", "pull-request"].map((name) => ({ name, arguments: {} })),
        { name: "run", arguments: { command: "sh" } },
        { name: "read", arguments: { path: "../../../../etc/passwd" } },
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
  const results = (model.seen[2]!["messages"] as { role: string; content: string }[])
    .filter(({ role }) => role === "tool")
    .map(({ content }) => content);
  expect(results.slice(2, 7).every((text) => text.startsWith("refused: "))).toBe(true);
  expect(results.slice(7, 9)).toEqual([
    expect.stringContaining("there is no command sh"),
    expect.stringContaining("is not in the workspace"),
  ]);
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
  expect(git(join(bare, "acme/sum.git"), "tag", "--list") + git(project, "tag", "--list")).toBe("");
  // It went to the forge alone, and stands on no disk of this product.
  const found = Bun.spawnSync(["grep", "-rlF", TOKEN, join(host.box.path, "state")]);
  expect(found.stdout.toString()).toBe("");
});

test("F58, SR-10.7: a pull request that nobody knows about waits for an operator; a retry is approved anew, and finds it by its key", async () => {
  const remote = forge.remote("acme/sum");
  const patch = /Patch: sha256:([0-9a-f]{64})/.exec(forge.pulls[0]!.body)![1]!;
  const document = {
    document: {
      dsl: "1.0.3",
      namespace: "t",
      name: "pull",
      version: "1.0.0",
      metadata: { lightWorkflow: { runner: { executionProfile: "repair" } } },
    },
    do: [
      {
        pull: {
          run: {
            shell: { command: "lightflow", environment: { FORGE_TOKEN: "runner-secret://forge_token" } },
          },
          metadata: {
            lightWorkflow: {
              output: "json",
              files: [`sha256:${patch}`],
              mounts: [{ source: project, target: project }],
              action: {
                name: "pull-request",
                with: {
                  ...{ api: forge.api, project: "acme/sum", remote, repository: project, into: "main" },
                  ...{ base: git(project, "rev-parse", "HEAD"), branch: "repair/lost", patch, title: "Mend" },
                },
              },
            },
          },
        },
      },
    ],
  };
  writeFileSync(join(host.box.path, "pull.json"), JSON.stringify(document));
  const before = forge.pulls.length;
  forge.moods("answer", "do-and-fail", "fail", "fail", "fail");
  const run = await host.start(["pull.json"]);
  const first = await host.approval(run, "pull");
  expect((await host.lightflow(["approvals", "approve", first])).code).toBe(0);
  const asked = async () =>
    ((await host.lightflow(["inbox", "list"])).json["tasks"] as { id: string; kind: string }[]).find(
      ({ kind }) => kind === "outcome_unknown",
    );
  const task = (await eventually(asked, (found) => found !== undefined, 60))!;
  expect((await host.lightflow(["approvals", "approve", first])).stderr).toContain("is consumed");
  expect((await host.lightflow(["attempts", "resolve", task.id, "--as", "retry"])).code).toBe(0);
  const second = await host.approval(run, "pull");
  expect(second).not.toBe(first);
  expect((await host.lightflow(["approvals", "approve", second])).code).toBe(0);
  expect(await host.ended(run)).toBe("succeeded");
  expect(forge.pulls).toHaveLength(before + 1);
  expect(forge.pulls.at(-1)).toMatchObject({ head: { ref: "repair/lost" } });
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

test("SR-6.2: after all of this the service's credential is in no process, no file and no message of the runner", async () => {
  const { stdout } = Bun.spawnSync(["grep", "-rlF", CANARY, host.runnerData, place.path]);
  expect(stdout.toString()).toBe("");
  expect(readFileSync(`/proc/${host.runnerPid()}/environ`, "utf8")).not.toContain(CANARY);
  expect(JSON.stringify([model.seen, forge.seen, forge.pulls])).not.toContain(CANARY);
  // Nor does what came over its wire stand in the history or the logs of its tasks.
  const state = Bun.spawnSync(["grep", "-rlF", CANARY, join(host.box.path, "state")]);
  expect(state.stdout.toString()).toBe("");
});
