import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openArtifacts } from "../../src/artifacts/index.ts";
import { digestOf } from "../../src/base/canonical.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { Json, JsonObject } from "../../src/base/json.ts";
import { silentLog } from "../../src/base/log.ts";
import { allowAll } from "../../src/calls/index.ts";
import { Orchestrator } from "../../src/orchestrator/index.ts";
import { findRun, listStepUses, Store } from "../../src/store/index.ts";
import { figures, show } from "./stats.ts";

export const about = "a pipeline of 50 steps whose outputs are all known: ms a step, also after a restart";

const STEPS = 50;
const ROUNDS = 15;

/** Steps one after the other; each call takes what the one before it gave. */
function pipeline(url: string, cached: boolean): JsonObject {
  const step = (at: number): JsonObject => ({
    [`step${at}`]: {
      call: "http",
      with: { method: "get", endpoint: `${url}/${at}`, query: { of: at === 0 ? "start" : "${ .of }" } },
      metadata: { lightFlow: { cache: true } },
    },
  });
  const floor = (at: number): JsonObject => ({ [`step${at}`]: { set: { of: `${at}` } } });
  return {
    document: { dsl: "1.0.3", namespace: "bench", name: cached ? "cached" : "floor", version: "1.0.0" },
    do: Array.from({ length: STEPS }, (_, at) => (cached ? step(at) : floor(at))) as Json[],
  };
}

/** One process's worth of orchestrator over a store that outlives it. */
function open(directory: string) {
  const store = Store.open(join(directory, "store.db"));
  const artifacts = openArtifacts(join(directory, "artifacts"));
  const orchestrator = new Orchestrator({
    store,
    artifacts,
    clock: systemClock,
    log: silentLog,
    calls: { policy: allowAll },
  });
  let runs = 0;
  const run = async (document: JsonObject, prefix: string) => {
    const runId = `${prefix}${runs++}`;
    const began = performance.now();
    await orchestrator.start({
      tenantId: "default",
      runId,
      idempotent: false,
      sourceEventId: null,
      workflow: "bench",
      assetId: null,
      document,
      digest: digestOf(document),
      input: {},
    });
    let row = store.read(findRun, { tenantId: "default", runId });
    while (row.finished_at === null) {
      await Bun.sleep(1);
      row = store.read(findRun, { tenantId: "default", runId });
    }
    const ms = performance.now() - began;
    if (row.status !== "completed") throw new Error(`${runId}: ${row.snapshot.slice(0, 500)}`);
    const hits = store
      .read(listStepUses, { instanceId: row.id })
      .filter(({ state }) => state === "hit").length;
    return { ms, hits };
  };
  const close = async () => {
    orchestrator.stop();
    await store.close();
  };
  return { run, close };
}

export async function run(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "lightflow-bench-"));
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => Response.json({ of: request.url.length }),
  });
  const url = `http://127.0.0.1:${server.port}`;
  let parts = open(directory);
  try {
    const first = await parts.run(pipeline(url, true), "first");
    console.log(`${STEPS} steps that run         ${first.ms.toFixed(1)} ms, ${first.hits} cached`);
    for (const when of ["all cached", "after a restart"]) {
      if (when === "after a restart") {
        await parts.close();
        parts = open(directory);
      }
      const cached: number[] = [];
      const floor: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const known = await parts.run(pipeline(url, true), `${when.replaceAll(" ", "-")}-`);
        if (known.hits !== STEPS) throw new Error(`${known.hits} of ${STEPS} steps were cached`);
        cached.push(known.ms / STEPS);
        floor.push((await parts.run(pipeline(url, false), `floor-${when.replaceAll(" ", "-")}-`)).ms / STEPS);
      }
      console.log(`${when.padEnd(16)} a step  ${show(figures(cached), "ms", 3)}`);
      console.log(`  first run after it     ${cached[0]!.toFixed(3)} ms a step`);
      console.log(`floor: steps that set    ${show(figures(floor), "ms", 3)}`);
      const { median } = figures(cached);
      console.log(
        `a cached step            ${median.toFixed(3)} ms, at most 1 ms: ${median <= 1 ? "held" : "NOT HELD"}`,
      );
    }
  } finally {
    await parts.close();
    await server.stop(true);
    rmSync(directory, { recursive: true, force: true });
  }
}
