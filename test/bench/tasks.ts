import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "../../src/base/canonical.ts";
import { randomToken } from "../../src/base/ids.ts";
import {
  type Lease,
  newSigningKey,
  type RegistrationAccepted,
  signRegistration,
} from "../../src/protocol/index.ts";
import { enrolRunner, Store } from "../../src/store/index.ts";
import { binary } from "../support/binary.ts";
import { figures, pairedRatio, quantile, show } from "./stats.ts";

export const about =
  "durable create, lease, start, complete over HTTP at 1, 16 and 64 callers, beside a bare queue; fsync on";

const CALLERS = (process.env["BENCH_CALLERS"] ?? "1,16,64").split(",").map(Number);
const SECONDS = Number(process.env["BENCH_SECONDS"] ?? 3);
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 3);

const WORKFLOW = `import { workflow, type AssetMeta } from "lightflow";
export const META = { id: "workflow.one", title: "One", kind: "workflow", description: "one task", stability: "stable" } as const satisfies AssetMeta;
export const define = () => workflow(META.id).commandStep("work", { command: "true", workspace: "ephemeral" });
`;

interface Target {
  readonly name: string;
  /** One task from create to complete. */
  cycle(caller: number): Promise<void>;
}

async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const response = await fetch(url, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });
  if (response.status >= 400) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response;
}

async function load(target: Target, callers: number): Promise<{ rate: number; times: number[] }> {
  const times: number[] = [];
  const end = performance.now() + SECONDS * 1000;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      while (performance.now() < end) {
        const begun = performance.now();
        await target.cycle(caller);
        times.push(performance.now() - begun);
      }
    }),
  );
  return { rate: (times.length / (performance.now() - start)) * 1000, times };
}

async function startFloor(directory: string): Promise<{ target: Target; stop(): void }> {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "tasks-floor.ts"), join(directory, "floor.db")],
    {
      stdout: "pipe",
    },
  );
  const port = Number(await firstLine(child.stdout));
  const base = `http://127.0.0.1:${port}`;
  return {
    target: {
      name: "floor",
      async cycle() {
        await (await post(`${base}/create`, { command: "true" })).json();
        const leased = (await (await post(`${base}/claim`, {})).json()) as { id: string } | null;
        if (leased === null) throw new Error("the floor had nothing to claim");
        await (await post(`${base}/complete`, { id: leased.id })).json();
      },
    },
    stop: () => child.kill(),
  };
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  // The stream stays open: a server whose reader has gone ends.
  const reader = stream.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the server ended before it was ready");
    text += Buffer.from(value).toString();
  }
  return text.split("\n")[0]!;
}

interface Caller {
  session: RegistrationAccepted;
  runnerId: string;
}

async function startOurs(directory: string): Promise<{ target: Target; stop(): Promise<void> }> {
  const project = join(directory, "project");
  mkdirSync(join(project, "lightflow/workflows"), { recursive: true });
  writeFileSync(join(project, "lightflow/workflows/one.ts"), WORKFLOW);
  const env = {
    PATH: process.env["PATH"]!,
    HOME: directory,
    XDG_STATE_HOME: join(directory, "state"),
    XDG_RUNTIME_DIR: join(directory, "run"),
    XDG_CONFIG_HOME: join(directory, "config"),
    XDG_CACHE_HOME: join(directory, "cache"),
  };
  // The runners of the benchmark are the callers themselves, approved in the store before the host starts.
  const store = Store.open(join(env.XDG_STATE_HOME, "lightflow/lightflow.db"));
  const tokens = Array.from({ length: Math.max(...CALLERS) }, () => randomToken());
  await Promise.all(
    tokens.map((token, at) =>
      store.write(enrolRunner, {
        admission: {
          tenantId: "default",
          runnerId: `bench-${at}`,
          hostId: "bench",
          runnerPools: ["default"],
          executionProfiles: ["default"],
          capabilities: [],
          slots: 4,
        },
        credential: { enrolmentHash: sha256(token), expiresAt: Date.now() + 3_600_000 },
        actor: "bench",
        now: Date.now(),
      }),
    ),
  );
  await store.close();
  const child = Bun.spawn(
    [
      await binary(),
      "up",
      "--no-runner",
      "--port",
      "0",
      "--controller-port",
      "0",
      "--root",
      project,
      "--json",
    ],
    { env, stdout: "pipe", stderr: "inherit" },
  );
  const ready = JSON.parse(await firstLine(child.stdout)) as { gateway: string; controller: string };
  const protocol = { "lightflow-protocol": "1.0" };
  const callers = await Promise.all(
    tokens.map((token, at) => register(ready.controller, token, `bench-${at}`)),
  );
  const beating = setInterval(() => {
    for (const { session, runnerId } of callers) void heartbeat(ready.controller, session, runnerId);
  }, 5000);

  const runner = (path: string, body: unknown, token: string) =>
    post(`${ready.controller}${path}`, body, { ...protocol, authorization: `Bearer ${token}` });
  return {
    target: {
      name: "lightflow",
      async cycle(at) {
        const { session, runnerId } = callers[at]!;
        await (
          await post(`${ready.gateway}/runs/start`, { workflow_asset_id: "workflow.one", no_cache: true })
        ).json();
        const claim = {
          messageId: Bun.randomUUIDv7(),
          runnerId,
          sessionId: session.sessionId,
          freeSlots: 1,
          waitMs: 5000,
        };
        const answer = await runner("/runner/claim", claim, session.claimToken);
        if (answer.status !== 200) throw new Error("nothing to claim");
        const lease = (await answer.json()) as Lease;
        const identity = { attempt: lease.attempt, fencingToken: lease.fencingToken };
        const now = new Date().toISOString();
        const task = `/runner/task/${lease.leaseId}`;
        const started = { messageId: Bun.randomUUIDv7(), ...identity, nonce: lease.nonce, startedAt: now };
        await (await runner(`${task}/started`, started, session.claimToken)).json();
        await (await runner(`${task}/complete`, result(lease, runnerId, now), session.claimToken)).json();
      },
    },
    async stop() {
      clearInterval(beating);
      child.kill();
      await child.exited;
    },
  };
}

const DIGEST = `sha256:${"0".repeat(64)}`;

async function register(controller: string, token: string, runnerId: string): Promise<Caller> {
  const headers = { "lightflow-protocol": "1.0", authorization: `Bearer ${token}` };
  const asked = await post(`${controller}/runner/challenge`, { messageId: Bun.randomUUIDv7() }, headers);
  const { challenge } = (await asked.json()) as { challenge: string };
  const about = {
    challenge,
    messageId: Bun.randomUUIDv7(),
    runnerId,
    tenantId: "default",
    hostId: "bench",
    runnerKind: "bench",
    runnerPools: ["default"],
    executionProfiles: ["default"],
    capabilities: [],
    binaryDigest: DIGEST,
    configHash: DIGEST,
    commandAllowlistHash: DIGEST,
    workspacePolicy: "none",
    networkZone: "none",
    secretPolicy: "none",
    modelProviderScopes: [],
    mounts: [],
    sandbox: { modes: ["none" as const], providers: [] },
    slots: 4,
    version: "0",
  };
  const body = signRegistration(about, newSigningKey());
  const session = (await (
    await post(`${controller}/runner/register`, body, headers)
  ).json()) as RegistrationAccepted;
  return { session, runnerId };
}

async function heartbeat(controller: string, session: RegistrationAccepted, runnerId: string): Promise<void> {
  const body = {
    messageId: Bun.randomUUIDv7(),
    runnerId,
    sessionId: session.sessionId,
    status: "ready",
    configHash: DIGEST,
    commandAllowlistHash: DIGEST,
    binaryDigest: DIGEST,
    watchdog: "ok",
    journal: "ok",
    activeLeases: [],
    freeSlots: 1,
    cleanupBacklog: 0,
    timestamp: new Date().toISOString(),
  };
  const headers = { "lightflow-protocol": "1.0", authorization: `Bearer ${session.heartbeatToken}` };
  await post(`${controller}/runner/heartbeat`, body, headers).catch(() => {});
}

function result(lease: Lease, runnerId: string, now: string) {
  return {
    messageId: Bun.randomUUIDv7(),
    attempt: lease.attempt,
    fencingToken: lease.fencingToken,
    taskId: lease.taskId,
    taskReference: lease.taskReference,
    runnerId,
    policyDigest: lease.policyDigest,
    status: "succeeded",
    exitCode: 0,
    signal: null,
    startedAt: now,
    completedAt: now,
    durationMs: 0,
    summary: "done",
    stdoutRef: null,
    stderrRef: null,
    artifactRefs: [],
    output: null,
    changedFiles: [],
    aiDiagnosisAllowed: false,
    retrySafety: "safe",
    sandbox: { provider: "process", boundary: "process" },
  };
}

export async function run(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "bench-tasks-"));
  const floor = await startFloor(directory);
  const ours = await startOurs(directory);
  try {
    console.log(`${SECONDS} s a measurement, ${ROUNDS} rounds in turns, synchronous=FULL on both sides`);
    for (const callers of CALLERS) {
      const rates: Record<string, number[]> = { floor: [], lightflow: [] };
      const times: Record<string, number[]> = { floor: [], lightflow: [] };
      for (let round = -1; round < ROUNDS; round++) {
        for (const target of round % 2 === 0 ? [floor.target, ours.target] : [ours.target, floor.target]) {
          const measured = await load(target, callers);
          if (round < 0) continue;
          rates[target.name]!.push(measured.rate);
          times[target.name]!.push(...measured.times);
        }
      }
      for (const name of ["floor", "lightflow"]) {
        const [p50, p99] = [0.5, 0.99].map((share) => quantile(times[name]!, share).toFixed(1));
        console.log(
          `${String(callers).padStart(3)} callers  ${name.padEnd(10)} ${show(figures(rates[name]!), "tasks/s", 0)}, p50 ${p50} ms, p99 ${p99} ms`,
        );
      }
      console.log(
        `${String(callers).padStart(3)} callers  ratio      ${show(pairedRatio(rates["lightflow"]!, rates["floor"]!), "of the floor", 2)}`,
      );
    }
  } finally {
    floor.stop();
    await ours.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
