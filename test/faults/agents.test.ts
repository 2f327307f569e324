import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "../../src/base/json.ts";
import { startProviderServer } from "../fuse/provider-server.ts";
import { runBinary, sandbox } from "../support/binary.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";

/** What goes wrong around approvals and agents, with a host that is killed and a store that is aged. */
const box = sandbox("agent-faults");
const model = startProviderServer();
const place = join(box.path, "ctx-tree");
const env = { ...box.env, LIGHTFLOW_CTX_MOUNT: place };
let ctx: Started;
let host: Started;
const UP = ["up", "--no-ctx", "--port", "0", "--controller-port", "0"];
beforeAll(async () => {
  mkdirSync(place);
  const provider = { CORTEXFS_OPENAI_BASE_URL: `${model.url}/v1`, CORTEXFS_OPENAI_MODEL: "stub-model" };
  ctx = await startBinary(["ctx", "serve", "--dir", place], { ...box.env, ...provider }, box.path);
  host = await startBinary(UP, env, box.path);
});
afterAll(async () => {
  await host.stop();
  await ctx.stop();
  await model.stop();
  box.remove();
});

async function lightflow(...args: string[]) {
  const ran = await runBinary(args, { env, cwd: box.path });
  return { ...ran, json: (ran.stdout === "" ? null : JSON.parse(ran.stdout)) as JsonObject };
}
const ok = async (...args: string[]) => {
  const ran = await lightflow(...args);
  if (ran.code !== 0) throw new Error(`${args.join(" ")}: ${ran.stderr}`);
  return ran.json;
};
async function start(name: string, tasks: object[]): Promise<string> {
  const document = { document: { dsl: "1.0.3", namespace: "t", name, version: "1.0.0" }, do: tasks };
  writeFileSync(join(box.path, `${name}.json`), JSON.stringify(document));
  return (await ok("workflow", "start", `${name}.json`))["run_id"] as string;
}
const ended = (run: string) =>
  eventually(
    async () => (await ok("run", "get", run))["status"] as string,
    (now) => ["succeeded", "failed", "cancelled"].includes(now),
  );
const waiting = async (run: string) => {
  const { approvals } = (await ok("approvals", "list")) as unknown as {
    approvals: { id: string; run_id: string }[];
  };
  return approvals.find(({ run_id }) => run_id === run)!.id;
};
const publishing = (light: object = {}) => ({
  run: { shell: { command: "true" } },
  metadata: { lightWorkflow: { security: { allow: { actions: ["publish"] } }, ...light } },
});
/** A capability that the runner has not: what is approved stays in the queue. */
const nobody = { runner: { capabilities: ["docker"] } };

test("F54: an approval that runs out between the click and the attempt starts nothing", async () => {
  await host.stop();
  host = await startBinary([...UP, "--no-runner"], env, box.path);
  const run = await start("late", [{ release: publishing(nobody) }]);
  const id = await waiting(run);
  await ok("approvals", "approve", id);
  // As if its time had passed: an approval can be made older, and never younger.
  const db = new Database(join(box.path, "state/lightflow/lightflow.db"));
  db.run("PRAGMA busy_timeout = 5000");
  db.run("UPDATE approval SET expires_at = 1 WHERE id = ?", [id]);
  expect(() => db.run("UPDATE approval SET expires_at = expires_at + 1 WHERE id = ?", [id])).toThrow(
    "never prolonged",
  );
  db.run("UPDATE request SET expires_at = 1 WHERE approval = ?", [id]);
  db.close();
  expect(await ended(run)).toBe("failed");
  expect(JSON.stringify(await ok("run", "get", run))).toContain("ran out before an attempt began");
  expect((await ok("approvals", "show", id))["state"]).toBe("expired");
  await host.stop();
  host = await startBinary(UP, env, box.path);
});

test("F55: an artifact that is waited for stays when the run that made it is pruned, and goes afterwards", async () => {
  const maker = await start("maker", [
    {
      make: {
        run: { shell: { command: "echo made >app.txt" } },
        metadata: { lightWorkflow: { artifacts: [{ path: "app.txt" }] } },
      },
    },
  ]);
  expect(await ended(maker)).toBe("succeeded");
  const { artifacts } = (await ok("run", "artifacts", maker)) as unknown as {
    artifacts: { name: string; sha256: string }[];
  };
  const { sha256 } = artifacts.find(({ name }) => name === "app.txt")!;
  const bytes = join(box.path, "state/lightflow/artifacts/sha256", sha256.slice(0, 2), sha256);
  const release = publishing({ files: [`sha256:${sha256}`] });
  const run = await start("release", [{ release }]);
  const id = await waiting(run);
  const prune = (workflow: string) => ok("run", "prune", "--workflow", workflow, "--keep", "0", "--apply");
  await prune("maker");
  expect((await lightflow("run", "get", maker)).code).not.toBe(0);
  expect(existsSync(bytes)).toBe(true);
  await ok("approvals", "approve", id);
  expect(await ended(run)).toBe("succeeded");
  await prune("release");
  expect(existsSync(bytes)).toBe(false);
});

test("a host that is killed while a model thinks takes the same exchange up again", async () => {
  writeFileSync(
    join(box.path, "agent.json"),
    JSON.stringify({ name: "slow", version: "1.0.0", instructions: "Think.", model: { name: "stub-model" } }),
  );
  await ok("agent", "publish", "agent.json");
  const held = Promise.withResolvers<void>();
  model.state.behaviour = { text: "thought", hold: held.promise };
  const run = await start("thinking", [{ think: { call: "agent", with: { agent: "slow", prompt: "Hm?" } } }]);
  await eventually(
    async () => model.seen.length,
    (seen) => seen === 1,
  );
  await host.kill();
  host = await startBinary(UP, env, box.path);
  held.resolve();
  expect(await ended(run)).toBe("succeeded");
  expect(JSON.stringify(await ok("run", "get", run))).toContain("thought");
  expect(model.seen).toHaveLength(1);
});
