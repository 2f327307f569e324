import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runBinary, type Sandbox, sandbox } from "../support/binary.ts";
import { ask } from "../support/hand-runner.ts";
import { environmentsOf, filesWith, leftoversOf, violationsOf } from "../support/invariants.ts";
import { ownPort } from "../support/port.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";
import { isDeep } from "../support/require.ts";

/**
 * Orchestrator, controller and runner as processes of the executable, which are killed and stopped at random moments
 * while runs go through them. The invariants (`test/support/invariants.ts`, where each is shown to fail) are looked at after
 * each round, and those of the end (I5, I7) when nothing moves any more.
 */
setDefaultTimeout(isDeep ? 900_000 : 180_000);

const ROUNDS = isDeep ? 400 : 50;
const SEED = Number(process.env["LIGHTFLOW_SEED"] ?? 20_261_121);
const CANARY = "canary-of-the-rounds-5f0c27d9";

/** A small seeded generator, so that a failing series can be repeated. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}

type RoleName = "orchestrator" | "controller" | "runner";

let box: Sandbox;
let counts: string;
let gateway: Started;
let url: string;
const roles = new Map<RoleName, Started>();
let store: Database;

const rows = <Row>(sql: string): Row[] => store.query<Row, []>(sql).all();

async function startRole(name: RoleName): Promise<void> {
  const args: Record<RoleName, string[]> = {
    orchestrator: ["orchestrator"],
    controller: ["controller", "--port", new URL(url).port],
    runner: ["runner", "--config", "runner.yaml"],
  };
  const environment = name === "runner" ? { ...box.env, ROUNDS_CANARY: CANARY } : box.env;
  roles.set(name, await startBinary(args[name], environment, box.path));
}

beforeAll(async () => {
  box = sandbox("rounds");
  counts = join(box.path, "counts");
  mkdirSync(counts);
  const folder = join(box.path, "lightflow/workflows");
  mkdirSync(folder, { recursive: true });
  // One line a lease, in a file of its name: a command that ran twice is seen, whoever started it.
  const script = `echo x >>'${counts}/'$LIGHTFLOW_LEASE; echo $CANARY; sleep 0.12`;
  writeFileSync(
    join(folder, "one.ts"),
    `import { type AssetMeta, workflow } from "../preload/lightflow.ts";
export const META = { id: "workflow.one", title: "One", kind: "workflow", description: "one", stability: "stable" } as const satisfies AssetMeta;
export function define() {
  return workflow(META.id).commandStep("work", { command: "sh", arguments: ["-c", ${JSON.stringify(script)}], workspace: "ephemeral", environment: { CANARY: "runner-secret://canary" } });
}
`,
  );
  gateway = await startBinary(["serve", "--port", "0"], box.env, box.path);
  roles.set("orchestrator", await startBinary(["orchestrator"], box.env, box.path));
  roles.set("controller", await startBinary(["controller", "--port", String(ownPort())], box.env, box.path));
  url = roles.get("controller")!.ready["url"]!;
  await runBinary(["runner", "enroll", "r", "--out", "r.token", "--slots", "4"], {
    env: box.env,
    cwd: box.path,
  });
  writeFileSync(
    join(box.path, "runner.yaml"),
    JSON.stringify({
      version: 1,
      controllerUrl: url,
      credentialFile: join(box.path, "r.token"),
      runnerId: "r",
      dataDirectory: join(box.path, "data"),
      sandbox: "process",
      slots: 4,
      secrets: { canary: { env: "ROUNDS_CANARY" } },
    }),
  );
  await startRole("runner");
  store = new Database(join(box.path, "state/lightflow/lightflow.db"), { readonly: true });
});

afterAll(async () => {
  store?.close();
  for (const role of [...roles.values(), gateway]) await role?.kill();
  box?.remove();
});

const begin = async (id: string): Promise<boolean> => {
  const response = await fetch(`${gateway.ready["url"]}/runs/start`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ workflow_asset_id: "workflow.one", run_id: id, no_cache: true }),
  });
  return response.ok;
};

test(`F11-F21, F28, F70: ${ROUNDS} rounds of SIGKILL and SIGSTOP at random moments keep every invariant (seed ${SEED})`, async () => {
  const next = generator(SEED);
  let begun = 0;
  for (let round = 0; round < ROUNDS; round++) {
    if (await begin(`r${round}`)) begun++;
    const name = (["runner", "runner", "controller", "orchestrator"] as const)[Math.floor(next() * 4)]!;
    const killed = next() < 0.5;
    await Bun.sleep(next() * 160);
    const role = roles.get(name)!;
    if (killed) {
      await role.kill();
      await startRole(name);
    } else {
      process.kill(role.pid, "SIGSTOP");
      await Bun.sleep(20 + next() * 150);
      process.kill(role.pid, "SIGCONT");
    }
    try {
      expect(violationsOf({ store, counts })).toEqual({});
    } catch (error) {
      throw new Error(`seed ${SEED}, round ${round}, ${name} ${killed ? "killed" : "stopped"}`, {
        cause: error,
      });
    }
  }
  expect(begun).toBeGreaterThan(ROUNDS / 2);

  // Quiet: whatever is not over waits for somebody who is named. An offer that was lost on its way comes back by itself.
  const moving = () =>
    rows<{ n: number }>(
      "SELECT count(*) AS n FROM request WHERE state IN ('pending', 'parked', 'leased')",
    )[0]!.n +
    rows<{ n: number }>(
      `SELECT count(*) AS n FROM instance i WHERE finished_at IS NULL AND NOT EXISTS
        (SELECT 1 FROM operator_task o WHERE o.instance_id = i.id AND o.state = 'open')`,
    )[0]!.n;
  await eventually(
    () => Promise.resolve(moving()),
    (left) => left === 0,
    // Leases that nobody answers for run out first.
    100,
  );
  expect(violationsOf({ store, counts })).toEqual({});
  const data = join(box.path, "data");
  await eventually(
    () => Promise.resolve(environmentsOf(data)),
    (left) => left.length === 0,
  );
  expect(leftoversOf(data, CANARY, box.path)).toEqual({});
  // Its masked output is there: the secret was in sight.
  expect(filesWith("***", box.path).length).toBeGreaterThan(0);
  // Each run came to its end, or to one open question.
  const ends = rows<{ status: string; asked: number }>(
    `SELECT i.status, (SELECT count(*) FROM operator_task o WHERE o.instance_id = i.id AND o.state = 'open') AS asked FROM instance i`,
  );
  for (const end of ends)
    expect(end.status === "completed" ? end.asked === 0 : end.asked === 1 || end.status === "faulted").toBe(
      true,
    );
  expect(ends.filter(({ status }) => status === "completed").length).toBeGreaterThan(begun / 3);
  expect((await ask(box, "audit", "verify"))["ok"]).toBe(true);
  expect(await ask(box, "db", "check")).toMatchObject({ ok: true, problems: [] });
});
