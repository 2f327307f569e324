import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openArtifacts } from "../../src/artifacts/index.ts";
import { digestOf } from "../../src/base/canonical.ts";
import { systemClock } from "../../src/base/clock.ts";
import { newId } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { createController, handleRunner, Spool } from "../../src/controller/index.ts";
import { Orchestrator } from "../../src/orchestrator/index.ts";
import { newSigningKey, signRegistration } from "../../src/protocol/index.ts";
import { enrolRunner, Store } from "../../src/store/index.ts";
import { facts } from "../support/hand-runner.ts";
import { quantile } from "./stats.ts";

export const about = "claims of a queue with 1,000,000 tasks beside one with 1,000; fsync on";

const CLAIMS = 1500;
const DEPTHS = [1_000, 1_000_000] as const;

/** A store with one queued task, and `depth` copies of its row. */
async function fill(path: string, depth: number): Promise<void> {
  const directory = join(path, "..");
  const store = Store.open(path);
  const orchestrator = new Orchestrator({
    store,
    artifacts: openArtifacts(join(directory, "artifacts")),
    clock: systemClock,
    log: silentLog,
  });
  const document = {
    document: { dsl: "1.0.3", namespace: "bench", name: "queue", version: "1.0.0" },
    do: [{ work: { run: { shell: { command: "true" } }, metadata: { lightWorkflow: {} } } }],
  };
  await orchestrator.start({
    tenantId: "default",
    runId: "one",
    idempotent: false,
    sourceEventId: null,
    workflow: "queue",
    assetId: null,
    document,
    digest: digestOf(document),
    input: {},
  });
  orchestrator.stop();
  await store.close();
  const db = new Database(path, { strict: true });
  const columns = (db.query("PRAGMA table_info(request)").all() as { name: string }[])
    .map(({ name }) => name)
    .filter((name) => name !== "id" && name !== "effect_id" && name !== "created_at");
  db.run(
    `INSERT INTO request (id, effect_id, created_at, ${columns.join(", ")})
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
     SELECT 'copy-' || i, 'copy-' || i, created_at + i, ${columns.join(", ")} FROM n, (SELECT * FROM request LIMIT 1)`,
    [depth],
  );
  db.close();
}

async function measure(depth: number): Promise<number[]> {
  const directory = mkdtempSync(join(tmpdir(), "bench-queue-"));
  try {
    await fill(join(directory, "store.db"), depth);
    const store = Store.open(join(directory, "store.db"));
    const controller = await createController({
      store,
      artifacts: openArtifacts(join(directory, "artifacts")),
      spool: new Spool(join(directory, "spool")),
      clock: systemClock,
      log: silentLog,
    });
    const send = async (path: string, body: unknown, token: string | null) => {
      const response = await handleRunner(
        controller,
        new Request(`http://bench${path}`, {
          method: "POST",
          headers: {
            "lightflow-protocol": "1.0",
            "content-type": "application/json",
            ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          },
          body: JSON.stringify(body),
        }),
      );
      if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
      return (await response.json()) as Record<string, string>;
    };
    const key = newSigningKey();
    await store.write(enrolRunner, {
      admission: {
        tenantId: "default",
        runnerId: "bench",
        hostId: "h",
        runnerPools: ["default"],
        executionProfiles: ["default"],
        capabilities: [],
        slots: 1024,
      },
      credential: { publicKey: key.publicKey },
      actor: "bench",
      now: Date.now(),
    });
    const { challenge } = controller.challenges.issue(Date.now());
    const session = await send(
      "/runner/register",
      signRegistration({ ...facts("bench", { slots: 1024 }), challenge } as never, key),
      null,
    );
    const claim = async () => {
      const body = {
        messageId: newId(),
        runnerId: "bench",
        sessionId: session["sessionId"],
        freeSlots: 1,
        waitMs: 0,
      };
      const begun = performance.now();
      const lease = await send("/runner/claim", body, session["claimToken"]!);
      const time = performance.now() - begun;
      // Given back, so that the runner always has room.
      const path = `/runner/task/${lease["leaseId"]}/reject`;
      const reject = { messageId: newId(), attempt: 1, fencingToken: 1, reason: "measured" };
      await send(
        path,
        { ...reject, attempt: lease["attempt"], fencingToken: lease["fencingToken"] },
        session["claimToken"]!,
      );
      return time;
    };
    for (let at = 0; at < 100; at++) await claim();
    const times: number[] = [];
    const wanted = Math.min(CLAIMS, depth / 2);
    for (let at = 0; at < wanted; at++) times.push(await claim());
    controller.stop();
    await store.close();
    return times;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export async function run(): Promise<void> {
  const p99: number[] = [];
  for (const depth of DEPTHS) {
    const times = await measure(depth);
    p99.push(quantile(times, 0.99));
    const [half, high] = [0.5, 0.99].map((share) => quantile(times, share).toFixed(2));
    console.log(
      `${depth.toLocaleString("en").padStart(9)} queued  claim p50 ${half} ms, p99 ${high} ms (${times.length} claims)`,
    );
  }
  console.log(`ratio of p99: ${(p99[1]! / p99[0]!).toFixed(2)}`);
}
