import { expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openArtifacts } from "../../src/artifacts/index.ts";
import { digestOf } from "../../src/base/canonical.ts";
import { ManualClock } from "../../src/base/clock.ts";
import { newId, randomToken } from "../../src/base/ids.ts";
import type { Json, JsonObject } from "../../src/base/json.ts";
import { silentLog } from "../../src/base/log.ts";
import { type Controller, createController, handleRunner, Spool } from "../../src/controller/index.ts";
import { Orchestrator } from "../../src/orchestrator/index.ts";
import {
  type Lease,
  newSigningKey,
  type RegistrationAccepted,
  type SigningKey,
  signRegistration,
} from "../../src/protocol/index.ts";
import {
  enrolRunner,
  findRun,
  listAudit,
  listEvents,
  type PolicyKind,
  publishPolicyObject,
  Store,
} from "../../src/store/index.ts";
import { atEnd, documentOf, startDocument } from "./orchestrator.ts";
import { until } from "./until.ts";

export const DIGEST = `sha256:${"0".repeat(64)}`;
/** The digest of an empty list of commands. */
export const NO_COMMANDS = digestOf([]);
export const shell = (light: JsonObject = {}): JsonObject => ({
  run: { shell: { command: "true" } },
  metadata: { lightWorkflow: light },
});

/** Orchestrator and controller over one store, with a clock that the test moves. */
export async function plane(calls: ConstructorParameters<typeof Orchestrator>[0]["calls"] = {}) {
  const directory = mkdtempSync(join(tmpdir(), "plane-"));
  const clock = new ManualClock();
  const store = Store.open(join(directory, "store.db"));
  const artifacts = openArtifacts(join(directory, "artifacts"));
  const spool = new Spool(join(directory, "spool"));
  const parts = { store, artifacts, spool, clock, log: silentLog };
  const controller = await createController(parts);
  const orchestrator = new Orchestrator({ ...parts, calls });
  controller.acceptance = orchestrator.acceptance;
  atEnd(async () => {
    controller.stop();
    orchestrator.stop();
    spool.close();
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const startOne = (runId: string, document: JsonObject, more: Parameters<typeof startDocument>[3] = {}) =>
    startDocument(orchestrator, runId, document, more);
  const start = (runId: string, tasks: Json[], input: Json = {}, sourceEventId: string | null = null) =>
    startOne(runId, documentOf(tasks), { input, sourceEventId });
  const run = (runId: string) => store.read(findRun, { tenantId: "default", runId });
  const reaches = async (runId: string, status: string) => {
    await until(
      () => run(runId).status === status,
      () => run(runId),
    );
    return run(runId);
  };
  return {
    store,
    artifacts,
    controller,
    orchestrator,
    clock,
    start,
    startDocument: startOne,
    run,
    until: reaches,
  };
}

export type Plane = Awaited<ReturnType<typeof plane>>;

export async function send(
  controller: Controller,
  method: string,
  path: string,
  body: unknown,
  token: string | null,
  headers = {},
) {
  const raw = body instanceof Uint8Array;
  const response = await handleRunner(
    controller,
    new Request(`http://controller${path}`, {
      method,
      headers: {
        "lightflow-protocol": "1.0",
        "content-type": raw ? "application/octet-stream" : "application/json",
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      body: raw ? body : JSON.stringify(body),
    }),
  );
  const text = await response.text();
  return { status: response.status, body: (text === "" ? null : JSON.parse(text)) as JsonObject };
}

const identity = (runnerId: string, tenantId = "default") => ({ runnerId, tenantId, hostId: "h" });

export function registration(runnerId: string, more: JsonObject = {}): JsonObject {
  return {
    messageId: newId(),
    ...identity(runnerId),
    runnerKind: "test",
    runnerPools: ["default"],
    executionProfiles: ["default"],
    capabilities: ["git"],
    binaryDigest: DIGEST,
    configHash: DIGEST,
    commandAllowlistHash: NO_COMMANDS,
    workspacePolicy: "w",
    networkZone: "z",
    secretPolicy: "none",
    modelProviderScopes: [],
    mounts: [],
    sandbox: {
      modes: ["none"],
      providers: [{ provider: "process", template: "process", boundary: "process", features: [] }],
    },
    slots: 4,
    version: "1",
    ...more,
  };
}

export async function enrol(
  p: Plane,
  runnerId: string,
  tenantId = "default",
  executionProfiles: string[] = ["default"],
  more: JsonObject = {},
) {
  const token = randomToken();
  await p.store.write(enrolRunner, {
    admission: {
      ...identity(runnerId, tenantId),
      runnerPools: ["default"],
      executionProfiles,
      capabilities: ["git"],
      slots: 2,
      ...more,
    },
    credential: { publicKey: keyOf(token).publicKey },
    actor: "test",
    now: p.clock.wall(),
  });
  return token;
}

/** The key of each runner, by its enrolment token. */
const keys = new Map<string | null, SigningKey>();

/** A whole registration: a fresh challenge, signed with the key that belongs to the token. */
export function register(p: Plane, about: JsonObject, token: string | null, key = keyOf(token)) {
  const { challenge } = p.controller.challenges.issue(p.clock.wall());
  const signed = signRegistration({ ...about, challenge } as never, key);
  return send(p.controller, "POST", "/runner/register", signed, token);
}

export function keyOf(token: string | null): SigningKey {
  const key = keys.get(token) ?? newSigningKey();
  keys.set(token, key);
  return key;
}

/** A runner that speaks the protocol by hand, honestly or not. */
export async function runner(
  p: Plane,
  runnerId = "r1",
  tenantId = "default",
  executionProfiles: string[] = ["default"],
  about: JsonObject = {},
  /** Of its approval, and of what it says of itself. */
  approved: JsonObject = {},
) {
  const token = await enrol(p, runnerId, tenantId, executionProfiles, approved);
  const said = registration(runnerId, { tenantId, executionProfiles, ...about, ...approved });
  const answer = await register(p, said, token);
  expect(answer.status).toBe(200);
  return { token, ...hands(p, runnerId, answer.body as unknown as RegistrationAccepted) };
}

export const claimOf = (runnerId: string, { sessionId }: RegistrationAccepted, waitMs = 0) => ({
  messageId: newId(),
  runnerId,
  sessionId,
  freeSlots: 1,
  waitMs,
});

/** What a registered runner says. */
export function hands(p: Plane, runnerId: string, session: RegistrationAccepted) {
  const claim = async (waitMs = 0, messageId = newId()) => {
    const body = { ...claimOf(runnerId, session, waitMs), messageId };
    const claimed = await send(p.controller, "POST", "/runner/claim", body, session.claimToken);
    return { status: claimed.status, body: claimed.body, lease: claimed.body as unknown as Lease };
  };
  const task = (lease: Lease, action: string, body: JsonObject, by = session.claimToken) =>
    send(
      p.controller,
      "POST",
      `/runner/task/${lease.leaseId}/${action}`,
      { messageId: newId(), attempt: lease.attempt, fencingToken: lease.fencingToken, ...body },
      by,
    );
  const started = (lease: Lease, more: JsonObject = {}) =>
    task(lease, "started", { nonce: lease.nonce, startedAt: "2026-01-01T00:00:00Z", ...more });
  const drain = () => {
    const { sessionId } = session;
    const body = { messageId: newId(), runnerId, sessionId, reason: "upgrade", deadlineMs: 1 };
    return send(p.controller, "POST", "/runner/drain", body, session.heartbeatToken);
  };
  return { session, claim, task, started, drain, runnerId };
}

export { documentOf } from "./orchestrator.ts";
export { taskResult as result } from "./task-result.ts";

export const events = (p: Plane, runId: string) =>
  p.store.read(listEvents, { instanceId: p.run(runId).id, runId, after: 0, limit: 1000 });

/** The entries of the tenant's chain, of one action or all. */
export const audit = (p: Plane, action?: string) =>
  p.store
    .read(listAudit, { tenantId: "default", after: 0, limit: 1000 })
    .filter((entry) => action === undefined || entry.action === action);

export const publish = (p: Plane, kind: PolicyKind, id: string, body: JsonObject) =>
  p.store.write(publishPolicyObject, {
    kind,
    id,
    body,
    actor: "user:1",
    tenantId: "default",
    now: p.clock.wall(),
  });

/** A heartbeat of a healthy runner, or with what a test makes of it. */
export async function beat(p: Plane, r: Awaited<ReturnType<typeof runner>>, more: JsonObject = {}) {
  const body = {
    messageId: newId(),
    runnerId: r.runnerId,
    sessionId: r.session.sessionId,
    status: "ready",
    configHash: DIGEST,
    commandAllowlistHash: NO_COMMANDS,
    binaryDigest: DIGEST,
    watchdog: "ok",
    journal: "ok",
    activeLeases: [],
    freeSlots: 1,
    cleanupBacklog: 0,
    timestamp: "2026-01-01T00:00:00Z",
    ...more,
  };
  return await send(p.controller, "POST", "/runner/heartbeat", body, r.session.heartbeatToken);
}
