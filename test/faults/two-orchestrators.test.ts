import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../src/base/canonical.ts";
import { childEnvironment } from "../../src/base/child-env.ts";
import type { JsonObject } from "../../src/base/json.ts";
import { startWaking } from "../../src/host/wake.ts";
import {
  type EnginePort,
  listEvents,
  listRuns,
  publishDefinition,
  receiveEvent,
  Store,
} from "../../src/store/index.ts";
import { eventually } from "../support/processes.ts";

/** Each run waits for a timer, writes, waits for an event that all of them hear, and writes again. */
const document = (service: string): JsonObject => {
  const write = { call: "http", with: { method: "post", endpoint: `${service}effect` } };
  return {
    document: { dsl: "1.0.3", namespace: "t", name: "both", version: "1.0.0" },
    do: [
      { pause: { wait: { milliseconds: 30 } } },
      { one: write },
      { hear: { listen: { to: { one: { with: { type: "go" } } } } } },
      { two: write },
    ],
  };
};
const RUNS = 60;

test("F1: two orchestrators on one store make one run of an event, advance each once, and write once", async () => {
  const directory = mkdtempSync(join(tmpdir(), "both-"));
  const writes = new Map<string, number>();
  const service = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const key = request.headers.get("idempotency-key")!;
      writes.set(key, (writes.get(key) ?? 0) + 1);
      return Response.json({});
    },
  });
  const store = Store.open(join(directory, "store.db"));
  const stopWaking = startWaking(store, join(directory, "run"));
  const children = [1, 2].map(() =>
    Bun.spawn([process.execPath, join(import.meta.dir, "../support/orchestrator-child.ts"), directory], {
      env: childEnvironment(process.env),
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    }),
  );
  let turns: ReturnType<typeof setInterval> | undefined;
  try {
    for (const child of children) await child.stdout.getReader().read();
    const made = document(service.url.href);
    await store.write(publishDefinition, {
      // Nothing of it is asked where there is no schedule.
      engine: {} as EnginePort,
      tenantId: "default",
      definition: {
        digest: digestOf(made),
        namespace: "t",
        name: "both",
        version: "1.0.0",
        assetId: null,
        document: () => JSON.stringify(made),
      },
      schedule: null,
      now: Date.now(),
    });
    const receive = (event: JsonObject, lane: string | null) =>
      store.write(receiveEvent, { tenantId: "default", event, lane, now: Date.now() });
    const start = (id: number): JsonObject => ({
      specversion: "1.0",
      id: String(id),
      source: "/t",
      type: "workflow.start.main",
      data: { workflow: { namespace: "t", name: "both" } },
    });
    // In turns one of them stands still, also in the middle of its work, and the other goes on.
    let turn = 0;
    turns = setInterval(() => {
      children[turn % 2]!.kill("SIGCONT");
      children[++turn % 2]!.kill("SIGSTOP");
    }, 20);
    for (let at = 0; at < RUNS; at++) {
      await Promise.all([receive(start(at), "main"), receive(start(at), "main"), Bun.sleep(15)]);
    }
    const listening = () =>
      store.read((tx) => tx.get<{ n: number }>("SELECT count(*) AS n FROM subscription"), null)!.n;
    await eventually(
      async () => listening(),
      (count) => count === RUNS,
    );
    await receive({ specversion: "1.0", id: "go", source: "/t", type: "go", data: 1 }, null);
    const runs = () => store.read(listRuns, { tenantId: "default", limit: 1000 });
    await eventually(
      async () => runs().filter(({ finished_at }) => finished_at !== null).length,
      (count) => count === RUNS,
    );
    clearInterval(turns);
    for (const child of children) child.kill("SIGCONT");
    expect(runs()).toHaveLength(RUNS);
    for (const run of runs()) {
      expect(run.status).toBe("completed");
      const events = store.read(listEvents, { instanceId: run.id, runId: run.run_id, after: 0, limit: 100 });
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
      const started = events.filter(({ event }) => event === "step.started").map(({ step_id }) => step_id);
      expect(started).toEqual(["pause", "one", "hear", "two"]);
    }
    expect([...writes.values()]).toEqual(Array.from({ length: RUNS * 2 }, () => 1));
    // Both had their share: an orchestrator that sleeps proves nothing.
    const owners = store.read(
      (tx) => tx.all<{ owner: string }>("SELECT DISTINCT owner FROM native_call"),
      null,
    );
    expect(owners).toHaveLength(2);
    const failures = children.map((child) => {
      child.stdin.end();
      return Promise.all([child.stderr.text(), child.exited]);
    });
    expect(await Promise.all(failures)).toEqual([
      ["", 0],
      ["", 0],
    ]);
  } finally {
    clearInterval(turns);
    for (const child of children) child.kill("SIGKILL");
    service.stop(true);
    stopWaking();
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
