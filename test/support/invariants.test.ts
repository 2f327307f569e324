import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LIMITS } from "../../src/base/limits.ts";
import { explainTasks } from "../../src/store/leases/explain.ts";
import { beat, plane, result, runner, shell } from "./control-plane.ts";
import { type Invariant, leftoversOf, violationsOf } from "./invariants.ts";
import { until } from "./until.ts";

/** Each invariant is broken by hand in a copy of a sound history, and the checker has to name it, and no other. */

const directory = mkdtempSync(join(tmpdir(), "invariants-"));
const counts = join(directory, "counts");
const sound = join(directory, "sound.db");

/** One task that was done by its second attempt, one that is running, one that waits, one whose end nobody knows. */
beforeAll(async () => {
  mkdirSync(counts);
  const p = await plane();
  const r = await runner(p);
  const begin = async (id: string, light = {}) => {
    await p.start(id, [{ work: shell(light) }]);
    const { lease } = await r.claim();
    await r.started(lease);
    return lease;
  };
  const first = await begin("done", { repeatable: true });
  p.clock.advance(LIMITS.leaseMs + 1);
  // The reaper looks once a second.
  const state = () =>
    p.store.read(explainTasks, { tenantId: "default", task: "done", now: p.clock.wall() })[0]!.state;
  await until(() => state() === "pending", state);
  await beat(p, r);
  const { lease: second } = await r.claim();
  expect(second.attempt).toBe(2);
  await r.started(second);
  await r.task(second, "complete", result(second));
  await p.until("done", "completed");
  const lost = await begin("lost");
  await r.task(
    lost,
    "fail",
    result(lost, { status: "unknown", exitCode: null, retrySafety: "inspect-required" }),
  );
  const live = await begin("running");
  await p.start("waiting", [{ work: shell() }]);
  for (const { leaseId } of [first, second, live]) writeFileSync(join(counts, leaseId), "x\n");
  const copy = new Database(p.store.path, { readonly: true });
  copy.run("VACUUM INTO ?", [sound]);
  copy.close();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let copies = 0;
/** The violations of the sound history with these changes, which no trigger of the schema keeps back. */
function broken(...changes: string[]) {
  const path = join(directory, `${copies++}.db`);
  Bun.spawnSync(["cp", sound, path]);
  const store = new Database(path);
  store.run("PRAGMA synchronous = OFF");
  try {
    for (const { name } of store
      .query<{ name: string }, []>("SELECT name FROM sqlite_master WHERE type = 'trigger'")
      .all())
      store.run(`DROP TRIGGER ${name}`);
    for (const change of changes) expect(store.run(change).changes).toBeGreaterThan(0);
    return violationsOf({ store, counts });
  } finally {
    store.close();
  }
}

test("a sound history has no violation", () => {
  expect(broken()).toEqual({});
});

const run = (id: string) => `(SELECT id FROM instance WHERE run_id = '${id}')`;
const BROKEN: readonly (readonly [Invariant, string, string[]])[] = [
  [
    "I1",
    "two attempts of a task at once",
    [`UPDATE lease SET state = 'started' WHERE instance_id = ${run("done")}`],
  ],
  [
    "I2",
    "two accepted results of a task",
    [
      `UPDATE lease SET verdict = 'accepted' WHERE instance_id = ${run("done")} AND attempt = 1`,
      // With its entry, so that nothing else is wrong with it.
      "DELETE FROM audit",
      "DELETE FROM audit_chain",
      `INSERT INTO audit SELECT tenant_id, row_number() OVER (), 0, 'a', 'result.accepted', 'lease:' || id, '{}', '', '' FROM lease WHERE verdict = 'accepted'`,
    ],
  ],
  [
    "I3",
    "a later attempt with an older fence",
    [`UPDATE lease SET fence = 1 WHERE instance_id = ${run("done")}`],
  ],
  [
    "I4",
    "a task that is done by another attempt than the accepted one",
    [`UPDATE request SET accepted_attempt = 1 WHERE instance_id = ${run("done")}`],
  ],
  [
    "I6",
    "an entry of the audit that was changed",
    ["UPDATE audit SET body = '{}' WHERE action = 'result.accepted'"],
  ],
  ["I6", "an entry that is missing", ["DELETE FROM audit WHERE seq = 2"]],
  [
    "I6",
    "an accepted result without an entry",
    [`UPDATE audit SET object = 'lease:another' WHERE action = 'result.accepted'`],
  ],
  [
    "I9",
    "a task that nobody has",
    [`UPDATE request SET state = 'cancelled' WHERE instance_id = ${run("waiting")}`],
  ],
  [
    "I9",
    "a task that is with no runner",
    [`UPDATE request SET state = 'leased' WHERE instance_id = ${run("waiting")}`],
  ],
  ["I9", "an end that nobody knows, and nobody is asked about", ["DELETE FROM operator_task"]],
];
for (const [invariant, what, changes] of BROKEN) {
  test(`${invariant} is broken by ${what}`, () => {
    const found = broken(...changes);
    expect(found[invariant]?.length).toBeGreaterThan(0);
    // The chain of a history that was rewritten by hand does not hold either.
    expect(
      Object.keys(found).filter((name) => name !== "I6" || !changes.some((one) => one.includes("audit"))),
    ).toEqual(invariant === "I6" ? [] : [invariant]);
  });
}

test("I8 is broken by a command that ran twice, and by one that nobody started", () => {
  for (const [name, text] of [
    ["a-lease-that-nobody-started", "x\n"],
    ["twice", "x\nx\n"],
  ] as const) {
    writeFileSync(join(counts, name), text);
    expect(broken()).toEqual({ I8: [{ lease: name, lines: text }] });
    rmSync(join(counts, name));
  }
});

test("I5 is broken by a process of a task, and by what is left of a lease; I7 by a file that holds the secret", async () => {
  const data = join(directory, "data");
  mkdirSync(join(data, "leases"), { recursive: true });
  const canary = "canary-of-the-invariants";
  expect(leftoversOf(data, canary, directory)).toEqual({});
  const left = Bun.spawn(["sleep", "60"], { env: { LIGHTFLOW_WORKSPACE: `${data}/workspaces/w` } });
  mkdirSync(join(data, "leases/one"));
  writeFileSync(join(data, "secret"), `before ${canary} after`);
  try {
    expect(leftoversOf(data, canary, directory)).toEqual({
      I5: [`process ${left.pid}`, "one"],
      I7: [join(data, "secret")],
    });
  } finally {
    left.kill();
    await left.exited;
  }
});
