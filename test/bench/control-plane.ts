import { mkdirSync, writeFileSync } from "node:fs";
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
import { taskResult } from "../support/task-result.ts";

/** A host of the executable with many runners made by hand, and the bare queue beside it: what benchmarks of leases need. */

const WORKFLOW = `import { workflow, type AssetMeta } from "lightflow";
export const META = { id: "workflow.one", title: "One", kind: "workflow", description: "one task", stability: "stable" } as const satisfies AssetMeta;
export const define = () => workflow(META.id).commandStep("work", { command: "true", workspace: "ephemeral" });
`;

export async function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  const response = await fetch(url, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });
  if (response.status >= 400) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response;
}

export async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
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

/** The bare queue, by its address. */
export async function startFloor(directory: string): Promise<{ base: string; stop(): void }> {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "tasks-floor.ts"), join(directory, "floor.db")],
    {
      stdout: "pipe",
    },
  );
  const port = Number(await firstLine(child.stdout));
  return { base: `http://127.0.0.1:${port}`, stop: () => child.kill() };
}

export interface Caller {
  session: RegistrationAccepted;
  runnerId: string;
}

export interface BenchHost {
  readonly callers: readonly Caller[];
  /** Start a run of one task that does nothing. */
  create(): Promise<void>;
  /** One message of a runner. */
  send(path: string, body: unknown, token: string): Promise<Response>;
  /** A lease, waiting up to `waitMs`. */
  claim(caller: Caller, waitMs: number): Promise<Lease>;
  start(caller: Caller, lease: Lease): Promise<void>;
  complete(caller: Caller, lease: Lease): Promise<void>;
  stop(): Promise<void>;
}

/** @param runners how many are approved and registered; they beat by themselves */
export async function startHost(directory: string, runners: number): Promise<BenchHost> {
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
  const tokens = Array.from({ length: runners }, () => randomToken());
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

  const send = (path: string, body: unknown, token: string) =>
    post(`${ready.controller}${path}`, body, { ...protocol, authorization: `Bearer ${token}` });
  const now = () => new Date().toISOString();
  return {
    callers,
    send,
    async create() {
      const start = { workflow_asset_id: "workflow.one", no_cache: true };
      await (await post(`${ready.gateway}/runs/start`, start)).json();
    },
    async claim({ session, runnerId }, waitMs) {
      const body = {
        messageId: Bun.randomUUIDv7(),
        runnerId,
        sessionId: session.sessionId,
        freeSlots: 1,
        waitMs,
      };
      const answer = await send("/runner/claim", body, session.claimToken);
      if (answer.status !== 200) throw new Error("nothing to claim");
      return (await answer.json()) as Lease;
    },
    async start({ session }, lease) {
      const identity = { attempt: lease.attempt, fencingToken: lease.fencingToken };
      const body = { messageId: Bun.randomUUIDv7(), ...identity, nonce: lease.nonce, startedAt: now() };
      await (await send(`/runner/task/${lease.leaseId}/started`, body, session.claimToken)).json();
    },
    async complete({ session }, lease) {
      const { attempt, fencingToken } = lease;
      const body = {
        messageId: Bun.randomUUIDv7(),
        attempt,
        fencingToken,
        ...taskResult(lease, { startedAt: now(), completedAt: now(), durationMs: 0 }),
      };
      await (await send(`/runner/task/${lease.leaseId}/complete`, body, session.claimToken)).json();
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
