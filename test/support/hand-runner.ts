import { readFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../src/base/canonical.ts";
import { newId } from "../../src/base/ids.ts";
import type { JsonObject } from "../../src/base/json.ts";
import {
  type Lease,
  newSigningKey,
  type RegistrationAccepted,
  type SigningKey,
  signRegistration,
} from "../../src/protocol/index.ts";
import { runBinary, type Sandbox } from "./binary.ts";

export const ZERO = `sha256:${"0".repeat(64)}`;
export const ONE = `sha256:${"1".repeat(64)}`;
export const NO_COMMANDS = digestOf([]);

export interface Answer {
  readonly status: number;
  readonly body: JsonObject;
  readonly headers: Headers;
}

/** One message to a controller over HTTP, with nothing made right on its way. */
export async function post(
  url: string,
  path: string,
  body: unknown,
  token: string | null,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: {
      "content-type": "application/json",
      "lightflow-protocol": "1.0",
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
  });
  const text = await response.text();
  return {
    status: response.status,
    body: (text === "" ? {} : JSON.parse(text)) as JsonObject,
    headers: response.headers,
  };
}

export async function challengeOf(url: string): Promise<string> {
  return (await post(url, "/runner/challenge", { messageId: newId() }, null)).body["challenge"] as string;
}

/** What a plain runner says of itself. */
export const facts = (runnerId: string, more: JsonObject = {}): JsonObject => ({
  messageId: newId(),
  runnerId,
  tenantId: "default",
  hostId: "h",
  runnerKind: "test",
  runnerPools: ["default"],
  executionProfiles: ["default"],
  capabilities: [],
  binaryDigest: ZERO,
  configHash: ZERO,
  commandAllowlistHash: NO_COMMANDS,
  workspacePolicy: "w",
  networkZone: "z",
  secretPolicy: "none",
  modelProviderScopes: [],
  mounts: [],
  sandbox: { modes: ["none"], providers: [] },
  slots: 4,
  version: "1",
  ...more,
});

/** `lightflow runner enroll`, and the token that it wrote. */
export async function enroll(box: Sandbox, runnerId: string, ...flags: string[]): Promise<string> {
  const file = `${runnerId}-${newId()}.token`;
  const where = flags.includes("--host-id") ? [] : ["--host-id", "h"];
  const args = ["runner", "enroll", runnerId, "--out", file, ...where, ...flags];
  const ran = await runBinary(args, { env: box.env, cwd: box.path });
  if (ran.code !== 0) throw new Error(ran.stderr);
  return readFileSync(join(box.path, file), "utf8").trim();
}

/** A command of the executable whose answer is JSON. */
export async function ask(box: Sandbox, ...args: string[]): Promise<JsonObject> {
  const ran = await runBinary(args, { env: box.env, cwd: box.path });
  if (ran.code !== 0) throw new Error(`${args.join(" ")}: ${ran.stderr}`);
  return JSON.parse(ran.stdout) as JsonObject;
}

export interface AuditLine {
  seq: number;
  actor: string;
  action: string;
  object: string;
  body: JsonObject;
}

export async function audit(box: Sandbox, tenant = "default"): Promise<AuditLine[]> {
  const answer = await ask(box, "audit", "tail", "--lines", "1000", "--tenant", tenant);
  return answer["entries"] as unknown as AuditLine[];
}

/** A runner made by hand, which says whatever a test wants it to say. */
export class HandRunner {
  readonly url: string;
  readonly runnerId: string;
  readonly key: SigningKey;
  #session: RegistrationAccepted | null = null;

  constructor(url: string, runnerId: string, key: SigningKey = newSigningKey()) {
    this.url = url;
    this.runnerId = runnerId;
    this.key = key;
  }

  get session(): RegistrationAccepted {
    if (this.#session === null) throw new Error(`${this.runnerId} is not registered`);
    return this.#session;
  }

  /** A signed registration, as it goes over the wire. */
  async registration(more: JsonObject = {}, key = this.key): Promise<JsonObject> {
    const about = { ...facts(this.runnerId, more), challenge: await challengeOf(this.url) };
    return signRegistration(about as never, key) as unknown as JsonObject;
  }

  async register(token: string | null = null, more: JsonObject = {}): Promise<Answer> {
    const answer = await post(this.url, "/runner/register", await this.registration(more), token);
    if (answer.status === 200) this.#session = answer.body as unknown as RegistrationAccepted;
    return answer;
  }

  beat(more: JsonObject = {}, token = this.session.heartbeatToken): Promise<Answer> {
    const body = {
      messageId: newId(),
      runnerId: this.runnerId,
      sessionId: this.session.sessionId,
      status: "ready",
      configHash: ZERO,
      commandAllowlistHash: NO_COMMANDS,
      binaryDigest: ZERO,
      watchdog: "ok",
      journal: "ok",
      activeLeases: [],
      freeSlots: 1,
      cleanupBacklog: 0,
      timestamp: "2026-01-01T00:00:00Z",
      ...more,
    };
    return post(this.url, "/runner/heartbeat", body, token);
  }

  claim(more: JsonObject = {}, token = this.session.claimToken): Promise<Answer> {
    const body = {
      messageId: newId(),
      runnerId: this.runnerId,
      sessionId: this.session.sessionId,
      freeSlots: 1,
      waitMs: 0,
      ...more,
    };
    return post(this.url, "/runner/claim", body, token);
  }

  /** Claim until there is a lease. */
  async lease(): Promise<Lease> {
    const { status, body } = await this.claim({ waitMs: 10_000 });
    if (status !== 200) throw new Error(`no lease: ${status} ${JSON.stringify(body)}`);
    return body as unknown as Lease;
  }

  snapshot(more: JsonObject = {}): Promise<Answer> {
    const body = {
      messageId: newId(),
      runnerId: this.runnerId,
      sessionId: this.session.sessionId,
      commands: [],
      sandboxTemplates: [],
      mounts: [],
      networkPolicy: "per-lease",
      secretBindings: [],
      configHash: ZERO,
      commandAllowlistHash: NO_COMMANDS,
      binaryDigest: ZERO,
      ...more,
    };
    return post(this.url, "/runner/audit-snapshot", body, this.session.heartbeatToken);
  }

  task(
    lease: Lease,
    action: string,
    body: JsonObject = {},
    token = this.session.claimToken,
  ): Promise<Answer> {
    const identity = { messageId: newId(), attempt: lease.attempt, fencingToken: lease.fencingToken };
    return post(this.url, `/runner/task/${lease.leaseId}/${action}`, { ...identity, ...body }, token);
  }

  started(lease: Lease, more: JsonObject = {}): Promise<Answer> {
    return this.task(lease, "started", { nonce: lease.nonce, startedAt: "2026-01-01T00:00:00Z", ...more });
  }
}

export { taskResult as resultOf } from "./task-result.ts";
