import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runBinary, sandbox } from "../support/binary.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";

/** Policy from outside: the executable, its commands, and a host with its own runner. */
const box = sandbox("policy");
let host: Started;
beforeAll(async () => {
  host = await startBinary(["up", "--port", "0", "--controller-port", "0"], box.env, box.path);
});
afterAll(async () => {
  await host.stop();
  box.remove();
});

async function lightflow(args: string[], stdin?: string) {
  const ran = await runBinary(args, {
    env: box.env,
    cwd: box.path,
    ...(stdin === undefined ? {} : { stdin }),
  });
  return { ...ran, json: (ran.stdout === "" ? null : JSON.parse(ran.stdout)) as Record<string, unknown> };
}

const file = (name: string, value: unknown): string => {
  writeFileSync(join(box.path, name), JSON.stringify(value));
  return name;
};
const publish = async (kind: string, value: unknown) => {
  const ran = await lightflow([kind, "publish", file(`${kind}.json`, value)]);
  expect(ran).toMatchObject({ code: 0 });
  return ran.json as unknown as { version: number; digest: string };
};
const shell = (command: string, args: string[] = [], light: object = {}) => ({
  run: { shell: { command, arguments: args } },
  metadata: { lightWorkflow: light },
});
const document = (name: string, tasks: object[], light: object = {}) =>
  file(`${name}.json`, {
    document: { dsl: "1.0.3", namespace: "t", name, version: "1.0.0", metadata: { lightWorkflow: light } },
    do: tasks,
  });
const status = async (run: string) => (await lightflow(["run", "get", run])).json["status"] as string;
const ended = (run: string) =>
  eventually(
    () => status(run),
    (now) => ["succeeded", "failed", "cancelled"].includes(now),
  );

for (const [what, light, task, layer, field] of [
  [
    "a weaker sandbox",
    { security: { sandbox: { mode: "workflow-session" } } },
    { security: { sandbox: { mode: "none" } } },
    "task",
    "sandboxMode",
  ],
  ["a wider network", { network: "deny-all" }, { network: "open" }, "task", "network"],
  [
    "an extra capability",
    { runner: { capabilities: ["git"] } },
    { runner: { capabilities: ["docker"] } },
    "task",
    "allow.capabilities",
  ],
  ["a longer limit", { timeoutMs: 1000 }, { timeoutMs: 2000 }, "task", "limits.taskMs"],
  ["a pool that no profile lists", { runner: { runnerPool: "secret" } }, {}, "workflow", "allow.runnerPools"],
] as [string, object, object, string, string][]) {
  test(`SR-5.2 a workflow that asks for ${what} is refused before it runs, with layer and field`, async () => {
    const path = document("wide", [{ work: shell("true", [], task) }], light);
    const started = await lightflow(["workflow", "start", path, "--json"]);
    expect(started.code).toBe(2);
    const problem = JSON.parse(started.stderr) as { code: string; details: object };
    expect(problem).toMatchObject({ code: "execution_policy_denied", details: { layer, field } });
    const explained = await lightflow(["policy", "explain", path]);
    expect(explained.code).toBe(2);
    expect(explained.json["refused"]).toMatchObject({ code: "execution_policy_denied", layer, field });
  });
}

test("SR-5.3 what is stricter is granted, and explained with the layer that decided", async () => {
  const path = document("strict", [{ work: shell("true", [], { timeoutMs: 1234 }) }], { timeoutMs: 5000 });
  const { json, code } = await lightflow(["policy", "explain", path, "--task", "work"]);
  expect(code).toBe(0);
  const [task] = json["tasks"] as { task_ms: number; runtime: string; fields: { field: string }[] }[];
  expect(task).toMatchObject({ runtime: "runner", task_ms: 1234 });
  expect(task!.fields.find(({ field }) => field === "limits.taskMs")).toMatchObject({
    value: 1234,
    decided_by: ["task"],
  });
});

test("SR-5.7 an unknown field or word in security metadata is refused", async () => {
  for (const security of [
    { sandbox: { mode: "nome" } },
    { sandbox: { modes: "none" } },
    { netwrok: "deny-all" },
    { version: 9 },
  ]) {
    const path = document("typo", [{ work: shell("true", [], { security }) }]);
    const started = await lightflow(["workflow", "start", path]);
    expect(started.code).toBe(2);
  }
  const bad = await lightflow(["policy", "publish", "service", "-"], '{"netwrok":"deny-all"}');
  expect(bad.code).toBe(2);
  const twice = await lightflow(
    ["policy", "publish", "service", "-"],
    '{"network":"deny-all","network":"open"}',
  );
  expect(twice.code).not.toBe(0);
});

test("a tenant's policy holds for the next start; the last word is the strictest", async () => {
  const path = document("net", [{ work: shell("true", [], { network: "open" }) }]);
  expect((await lightflow(["policy", "explain", path])).code).toBe(0);
  expect((await lightflow(["policy", "publish", "tenant", "-"], '{"network":"deny-all"}')).code).toBe(0);
  const refused = await lightflow(["policy", "explain", path]);
  expect(refused.json["refused"]).toMatchObject({ layer: "task", field: "network" });
  expect((refused.json["refused"] as { message: string }).message).toContain("tenant policy default@1");
  expect((await lightflow(["policy", "publish", "tenant", "-"], "{}")).code).toBe(0);
  expect((await lightflow(["policy", "explain", path])).code).toBe(0);
});

test("an approved template runs without a shell, with the values that its slots take", async () => {
  await publish("template", {
    id: "say",
    executable: "/usr/bin/printf",
    fixedArguments: ["said:%s"],
    slots: [{ name: "word", argumentIndex: 1, pattern: "[A-Za-z $]+" }],
  });
  const said = async (word: string) =>
    await lightflow([
      "workflow",
      "start",
      document("say", [{ say: shell("say", [word], { runner: { commandTemplateId: "say" } }) }]),
    ]);
  const good = await said("hello $HOME");
  expect(good.code).toBe(0);
  const run = good.json["run_id"] as string;
  expect(await ended(run)).toBe("succeeded");
  expect(JSON.stringify((await lightflow(["run", "get", run])).json)).toContain("said:hello $HOME");
  const option = (await said("-v")).json["run_id"] as string;
  expect(await ended(option)).toBe("failed");
  const shellText = (await said("a;id")).json["run_id"] as string;
  expect(await ended(shellText)).toBe("failed");
  const asShell = await lightflow(["template", "publish", "-"], '{"id":"x","executable":"/bin/sh"}');
  expect(asShell.code).toBe(2);
});

test("the project's own policy holds for its runs", async () => {
  expect((await lightflow(["init", "project"])).code).toBe(0);
  const root = join(box.path, "project");
  const explain = () => runBinary(["policy", "explain", "workflow.hello"], { env: box.env, cwd: root });
  expect((await explain()).code).toBe(0);
  mkdirSync(join(root, "lightflow/policies"), { recursive: true });
  const policy = join(root, "lightflow/policies/narrow.ts");
  writeFileSync(policy, 'export const POLICY = { allow: { runnerPools: ["elsewhere"] } };\n');
  const refused = JSON.parse((await explain()).stdout) as { refused: { message: string } };
  expect(refused.refused.message).toContain("workspace policy narrow");
  writeFileSync(policy, "export const POLICY = { netwrok: 1 };\n");
  expect((await explain()).code).toBe(2);
});

test("SR-5.6 a revoked profile stops what runs under it, gives no new attempt, and is in the audit", async () => {
  const profile = {
    id: "default",
    policy: {
      sandboxMode: "none",
      boundary: "process",
      approvalRequired: false,
      directCommands: true,
      allow: { runnerPools: ["default"], executables: ["/"] },
    },
  };
  expect((await publish("profile", profile)).version).toBe(1);
  const path = document("long", [{ wait: shell("sleep", ["60"]) }]);
  const run = (await lightflow(["workflow", "start", path])).json["run_id"] as string;
  await eventually(
    async () => (await lightflow(["leases"])).stdout,
    (text) => text.includes("started"),
  );
  const revoked = await lightflow(["profile", "revoke", "default", "--reason", "a key leaked"]);
  expect(revoked.json).toMatchObject({ versions: [1], requests: 1, leases: 1 });
  expect(await ended(run)).toBe("failed");
  expect((await lightflow(["workflow", "start", path])).stderr).toContain("the profile default is revoked");
  // The command itself is ended too, and the slot is free again.
  await eventually(
    async () => (await lightflow(["leases"])).stdout,
    (text) => !text.includes('"started"'),
  );
  const audit = (await lightflow(["audit", "tail"])).stdout;
  for (const action of ["profile.published", "profile.revoked", "lease.revoked"])
    expect(audit).toContain(action);
  expect((await lightflow(["audit", "verify"])).code).toBe(0);
  await publish("profile", profile);
  const after = (await lightflow(["workflow", "start", document("after", [{ go: shell("true") }])])).json[
    "run_id"
  ];
  expect(await ended(after as string)).toBe("succeeded");
});
