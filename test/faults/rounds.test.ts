import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runBinary, type Sandbox, sandbox } from "../support/binary.ts";
import { ask } from "../support/hand-runner.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";
import { isDeep } from "../support/require.ts";

/**
 * Orchestrator, controller and runner as processes of the executable, which are killed and stopped at random moments
 * while runs go through them. The invariants are those that hold at every moment (I1-I4, I6-I8), looked at after each
 * round, and those of the end (I5, I9), when nothing moves any more.
 */
setDefaultTimeout(isDeep ? 900_000 : 120_000);

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
  roles.set("controller", await startBinary(["controller", "--port", "0"], box.env, box.path));
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

/** What must hold at every moment, whatever was killed. */
function checkAlways(): void {
  // I1: no task is with two runners.
  expect(
    rows(
      "SELECT request_id FROM lease WHERE state IN ('leased', 'started') GROUP BY request_id HAVING count(*) > 1",
    ),
  ).toEqual([]);
  // I2: no task has two accepted results; one that says that nothing was started leads to the next attempt.
  expect(
    rows(`SELECT request_id FROM lease WHERE verdict = 'accepted'
      AND NOT (result ->> 'errorCode' IS 'execution_start_failed' AND result ->> 'retrySafety' IS 'safe')
      GROUP BY request_id HAVING count(*) > 1`),
  ).toEqual([]);
  // I3: a later attempt has a higher fence.
  expect(
    rows(
      "SELECT a.id FROM lease a JOIN lease b ON b.request_id = a.request_id AND b.attempt > a.attempt AND b.fence <= a.fence",
    ),
  ).toEqual([]);
  // I4: a task is done by the result of its accepted attempt, and no other.
  expect(
    rows(`SELECT r.id FROM request r WHERE r.state = 'satisfied' AND NOT EXISTS
      (SELECT 1 FROM lease l WHERE l.request_id = r.id AND l.attempt = r.accepted_attempt AND l.verdict = 'accepted')`),
  ).toEqual([]);
  // I8: the command of an attempt ran once at most, and only under a lease that was started.
  const started = new Set(
    rows<{ id: string }>("SELECT id FROM lease WHERE start_message_id IS NOT NULL").map(({ id }) => id),
  );
  for (const lease of readdirSync(counts)) {
    expect({ lease, runs: readFileSync(join(counts, lease), "utf8") }).toEqual({ lease, runs: "x\n" });
    expect({ lease, started: started.has(lease) }).toEqual({ lease, started: true });
  }
}

/** Processes of tasks that run on this host. */
const environments = (): string[] =>
  readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const text = readFileSync(`/proc/${pid}/environ`, "latin1");
      return text.includes(`LIGHTFLOW_WORKSPACE=${join(box.path, "data")}/`) ? [pid] : [];
    } catch {
      return [];
    }
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
      checkAlways();
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
  );
  checkAlways();
  // I5: no environment of a task is left, nor a file of a lease.
  await eventually(
    () => Promise.resolve([...environments(), ...readdirSync(join(box.path, "data/leases"))]),
    (left) => left.length === 0,
  );
  // I9: each run came to its end, or to one open question.
  const ends = rows<{ status: string; asked: number }>(
    `SELECT i.status, (SELECT count(*) FROM operator_task o WHERE o.instance_id = i.id AND o.state = 'open') AS asked FROM instance i`,
  );
  for (const end of ends)
    expect(end.status === "completed" ? end.asked === 0 : end.asked === 1 || end.status === "faulted").toBe(
      true,
    );
  expect(ends.filter(({ status }) => status === "completed").length).toBeGreaterThan(begun / 3);
  // I6: the chain holds, and each result was accepted with one entry.
  expect((await ask(box, "audit", "verify"))["ok"]).toBe(true);
  const accepted = rows<{ n: number }>("SELECT count(*) AS n FROM audit WHERE action = 'result.accepted'")[0]!
    .n;
  expect(accepted).toBe(
    rows<{ n: number }>("SELECT count(*) AS n FROM lease WHERE verdict = 'accepted'")[0]!.n,
  );
  expect(await ask(box, "db", "check")).toMatchObject({ ok: true, problems: [] });
  // I7: the secret of every task is nowhere on the disk, and its masked output is.
  const grep = (what: string) =>
    Bun.spawnSync(["grep", "-rlaF", what, box.path]).stdout.toString().trim().split("\n").filter(Boolean);
  expect(grep(CANARY)).toEqual([]);
  expect(grep("***").length).toBeGreaterThan(0);
});
