/**
 * Runs one scenario in a host of its own to its end and prints what became of it; or dies by SIGKILL at one of its commits.
 * Arguments: the directory, the scenario, the address of the counting service, which commit, and `before`, `after` or
 * `never`. Started again on the same directory it goes on.
 */
import { join } from "node:path";
import { digestOf } from "../../src/base/canonical.ts";
import type { Json, JsonObject } from "../../src/base/json.ts";
import { silentLog } from "../../src/base/log.ts";
import { allowAll } from "../../src/calls/index.ts";
import { openHost } from "../../src/host/index.ts";
import { callOperation, type Orchestration, service } from "../../src/service/index.ts";
import {
  type InstanceRow,
  listEvents,
  listOperatorTasks,
  listUnknownCalls,
  nextEvents,
  type Query,
} from "../../src/store/index.ts";
import { StatementCache } from "../../src/store/operation.ts";
import { CRASH_SCENARIOS } from "./crash-scenarios.ts";
import { foldHistories } from "./replay.ts";

const [, , directory, name, stub, at, when] = process.argv as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
];
const scenario = CRASH_SCENARIOS[name]!;

/** How often the store has committed; the process ends at the wanted one, before it or after it and before its answer. */
let commits = 0;
const run = StatementCache.prototype.run;
StatementCache.prototype.run = function (sql, ...values) {
  if (sql !== "COMMIT") return run.call(this, sql, ...values);
  const last = ++commits === Number(at);
  if (last && when === "before") process.kill(process.pid, "SIGKILL");
  const changed = run.call(this, sql, ...values);
  if (last && when === "after") process.kill(process.pid, "SIGKILL");
  return changed;
};

const host = await openHost({
  paths: {
    config: join(directory, "config"),
    state: join(directory, "state"),
    cache: join(directory, "cache"),
    runtime: join(directory, "run"),
  },
  log: silentLog,
  root: directory,
  listen: null,
  runner: scenario.runner === true ? { slots: 1, sandbox: "process" } : null,
  calls: { policy: allowAll },
});
const orchestration = host.context.orchestration as Orchestration;
const { views } = host.context;
const tenantId = "default";

const document = (workflow: string, tasks: readonly object[]): JsonObject => ({
  document: { dsl: "1.0.3", namespace: "t", name: workflow, version: "1.0.0" },
  do: tasks as Json[],
});

const instances: Query<null, InstanceRow[]> = (tx) => tx.all("SELECT * FROM instance ORDER BY run_id");
const listeners: Query<null, { instance_id: string }[]> = (tx) =>
  tx.all("SELECT instance_id FROM subscription");

/** What the world does: events, answers, and an operator who looks at the other side. */
async function stimulate(): Promise<void> {
  if (scenario.events !== undefined && views.read(listeners, null).length > 0) {
    for (const event of scenario.events) await callOperation(service.sendEvent, host.context, event);
  }
  for (const task of views.read(listOperatorTasks, { tenantId, all: false })) {
    if (task.kind === "ask")
      await orchestration.answer(tenantId, task.id, scenario.answer ?? null, "user:test");
  }
  for (const { id } of views.read(listUnknownCalls, { tenantId, runId: null })) {
    const key = id.replace(".", "/");
    const { count } = (await (await fetch(`${stub}seen?key=${encodeURIComponent(key)}`)).json()) as {
      count: number;
    };
    const resolution =
      count > 0 ? ({ as: "succeeded", output: { done: true } } as const) : ({ as: "retry" } as const);
    await orchestration.resolveCall(tenantId, id, resolution, "user:test");
  }
}

const isOver = (): boolean => {
  const rows = views.read(instances, null);
  return (
    rows.length > 0 &&
    rows.every(({ finished_at }) => finished_at !== null) &&
    views.read(nextEvents, { limit: 1, lanes: null }).length === 0
  );
};

for (const [workflow, tasks] of Object.entries(scenario.published ?? {})) {
  const made = document(workflow, tasks);
  await orchestration.publish(tenantId, made, digestOf(made));
}
const made = document("main", scenario.tasks(stub));
await orchestration.start({
  tenantId,
  runId: "r",
  idempotent: true,
  sourceEventId: null,
  workflow: "main",
  assetId: null,
  document: made,
  digest: digestOf(made),
  input: { n: 1 },
});
while (!isOver()) {
  await stimulate();
  await Bun.sleep(3);
}

/** Whatever a repeat may not change: how the tasks went, without attempts, places in time, and who made them. */
const SAME = /^(run\.|step\.(started|skipped|succeeded|failed|cancelled))/;
const runs = views.read(instances, null).map((row) => {
  const { output, error } = JSON.parse(row.snapshot) as { output: Json; error?: Json };
  const lines = views.read(listEvents, { instanceId: row.id, runId: row.run_id, after: 0, limit: 1000 });
  const went = lines
    .filter(({ event }) => SAME.test(event))
    .map(({ event, reference }) => `${event} ${reference}`);
  const gaps = lines.some(({ seq }, position) => seq !== position + 1);
  return { run_id: row.run_id, status: row.status, output, error: error ?? null, went: went.sort(), gaps };
});
// The folding throws where a history does not give its snapshot.
foldHistories(views);
await Bun.write(Bun.stdout, `${JSON.stringify({ commits, runs })}\n`);
process.exit(0);
