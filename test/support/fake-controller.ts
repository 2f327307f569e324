import { canonicalJson, digestOf } from "../../src/base/canonical.ts";
import { isoTime } from "../../src/base/clock.ts";
import { type ErrorCode, fail, toFailure, toProblem } from "../../src/base/errors.ts";
import { newId } from "../../src/base/ids.ts";
import { exampleLease } from "../../src/protocol/example.ts";
import {
  AuditSnapshot,
  Claim,
  type Directive,
  Drain,
  Heartbeat,
  importSecretKey,
  type Lease,
  LogChunk,
  newSigningKey,
  PROTOCOL_HEADER,
  PROTOCOL_VERSION,
  Registration,
  Reject,
  Renew,
  ROUTES,
  Started,
  signLease,
  TaskResult,
  type UnsignedLease,
  validate,
  verifyRegistration,
} from "../../src/protocol/index.ts";
import { ownPort } from "./port.ts";

/** Everything that the fake controller knows of one lease. */
export interface LeaseRecord {
  readonly lease: Lease;
  state: "queued" | "leased" | "started" | "reported" | "rejected" | "gone";
  /** One entry a stored chunk. */
  readonly chunks: { stdout: Uint8Array[]; stderr: Uint8Array[] };
  readonly finals: { stdout: boolean; stderr: boolean };
  startedBy: string | null;
  starts: number;
  renewals: number;
  results: TaskResult[];
  rejected: string | null;
  cancel: string | null;
}

export interface FakeControllerOptions {
  readonly heartbeatIntervalMs?: number;
  readonly leaseMs?: number;
  readonly port?: number;
}

/**
 * A controller of one process and one memory, for the runner's own tests: it speaks the real protocol with the real
 * closed schemas over a real socket, and can be made to fail in the ways that networks and servers do.
 */
export class FakeController {
  readonly records = new Map<string, LeaseRecord>();
  readonly artifacts = new Map<string, Uint8Array>();
  readonly registrations: Registration[] = [];
  readonly heartbeats: Heartbeat[] = [];
  readonly audits: AuditSnapshot[] = [];
  readonly drains: Drain[] = [];
  readonly enrolmentToken = "enrolment-token-of-the-test";
  /** Refuse or drop a request: return a code, "drop" for no answer at all, or null to go on. */
  intercept: (path: string, attempt: number) => ErrorCode | "drop" | "lose-answer" | null = () => null;
  /** Count chunks without keeping their bytes: for logs that are larger than a test wants to hold. */
  keepLogs = true;
  /** Change leases after they were signed. */
  tamper: ((lease: Lease) => Lease) | null = null;
  readonly directives: Directive[] = [];
  readonly #signing = newSigningKey();
  readonly #options: FakeControllerOptions;
  readonly #queue: ((sessionId: string) => UnsignedLease)[] = [];
  readonly #waiters = new Set<() => void>();
  readonly #changed = new Set<() => void>();
  readonly #counts = new Map<string, number>();
  readonly #claims = new Map<string, Lease>();
  #session: { id: string; claim: string; heartbeat: string } | null = null;
  readonly #keys = new Set<string>();
  #generation = 0;
  #server: ReturnType<typeof Bun.serve> | null = null;
  #port: number;

  constructor(options: FakeControllerOptions = {}) {
    this.#options = options;
    // Down for a while, it comes back on the port that it had.
    this.#port = options.port ?? ownPort();
    this.up();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  up(): void {
    this.#server ??= Bun.serve({
      hostname: "127.0.0.1",
      port: this.#port,
      idleTimeout: 120,
      maxRequestBodySize: 1 << 30,
      fetch: (request) => this.#answer(request),
    });
    this.#port = this.#server.port!;
  }

  /** Close the port and every connection, as a crash would. */
  async down(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    await server?.stop(true);
  }

  async close(): Promise<void> {
    this.#wake();
    await this.down();
  }

  forgetSession(): void {
    this.#session = null;
  }

  /** Queue a task; returns the lease id. */
  offer(overrides: Partial<UnsignedLease> = {}): string {
    const leaseId = overrides.leaseId ?? newId();
    const leaseMs = this.#options.leaseMs ?? 30_000;
    this.#queue.push((sessionId) => {
      const base = exampleLease({ leaseId, sessionId, workspace: { mode: "ephemeral", key: leaseId } });
      const now = Date.now();
      return {
        ...base,
        issuedAt: isoTime(now),
        expiresAt: isoTime(now + leaseMs),
        remainingMs: leaseMs,
        ...overrides,
      };
    });
    this.#wake();
    return leaseId;
  }

  shell(script: string, overrides: Partial<UnsignedLease> = {}): string {
    const environment = overrides.task?.environment ?? {};
    return this.offer({
      ...overrides,
      task: { type: "run.shell", command: "sh", arguments: ["-c", script], environment },
    });
  }

  record(leaseId: string): LeaseRecord {
    const record = this.records.get(leaseId);
    if (record === undefined) throw new Error(`lease ${leaseId} was never claimed`);
    return record;
  }

  log(leaseId: string, stream: "stdout" | "stderr" = "stdout"): string {
    return Buffer.concat(this.record(leaseId).chunks[stream]).toString();
  }

  /** Resolves when `test` holds; looks again at each message. */
  async until(test: () => boolean, what = "the condition", timeoutMs = 25_000): Promise<void> {
    const end = performance.now() + timeoutMs;
    while (!test()) {
      const left = end - performance.now();
      if (left <= 0) throw new Error(`${what} did not come within ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          this.#changed.delete(done);
          resolve();
        };
        const timer = setTimeout(done, Math.min(left, 100));
        this.#changed.add(done);
      });
    }
  }

  async result(leaseId: string, timeoutMs?: number): Promise<TaskResult> {
    await this.until(
      () => (this.records.get(leaseId)?.results.length ?? 0) > 0,
      `the result of ${leaseId}`,
      timeoutMs,
    );
    return this.record(leaseId).results[0]!;
  }

  cancel(leaseId: string, reason = "asked to"): void {
    const record = this.record(leaseId);
    record.cancel = reason;
    this.directives.push({ kind: "cancel", leaseId, fencingToken: record.lease.fencingToken, reason });
    this.#wake();
  }

  direct(directive: Directive): void {
    this.directives.push(directive);
    this.#wake();
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake();
  }

  async #hold(ms: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done, { once: true });
      this.#waiters.add(done);
    });
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const kind = url.pathname.replace(/[0-9a-f]{8}-[0-9a-f-]+/, "*").replace(/artifact\/.*/, "artifact");
    const attempt = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, attempt);
    const verdict = this.intercept(kind, attempt);
    try {
      if (verdict === "drop") return new Response(null, { status: 503 });
      if (verdict !== null && verdict !== "lose-answer") throw fail(verdict);
      if (request.headers.get(PROTOCOL_HEADER) !== PROTOCOL_VERSION) throw fail("protocol_unsupported");
      const answer = await this.#route(url, request);
      for (const changed of [...this.#changed]) changed();
      if (verdict === "lose-answer") return new Response(null, { status: 502 });
      const headers = { [PROTOCOL_HEADER]: PROTOCOL_VERSION };
      if (answer === null)
        return new Response(null, { status: 204, headers: { ...headers, "retry-after": "1" } });
      return Response.json(answer, { headers });
    } catch (error) {
      const failure = toFailure(error);
      if (failure.code === "internal") console.error(error);
      return Response.json(toProblem(failure), { status: failure.status });
    }
  }

  async #route(url: URL, request: Request): Promise<unknown> {
    const token = request.headers.get("authorization")?.replace("Bearer ", "");
    const session = this.#session;
    const needs = (kind: "claim" | "heartbeat") => {
      if (session === null || token !== session[kind]) throw fail("unauthenticated");
      return session;
    };
    switch (url.pathname) {
      case ROUTES.challenge:
        return { challenge: newId(), expiresAt: isoTime(Date.now() + 60_000) };
      case ROUTES.register: {
        const message = validate(Registration, await request.json());
        const known = this.#keys.has(message.publicKey);
        if (!verifyRegistration(message) || !(known || token === this.enrolmentToken)) {
          throw fail("unauthenticated");
        }
        this.#keys.add(message.publicKey);
        this.registrations.push(message);
        this.#generation++;
        this.#session = { id: newId(), claim: `claim-${newId()}`, heartbeat: `heartbeat-${newId()}` };
        return {
          sessionId: this.#session.id,
          generation: this.#generation,
          heartbeatToken: this.#session.heartbeat,
          claimToken: this.#session.claim,
          expiresAt: isoTime(Date.now() + 3_600_000),
          effective: {
            runnerPools: message.runnerPools,
            executionProfiles: message.executionProfiles,
            capabilities: message.capabilities,
            sandboxModes: message.sandbox.modes,
            modelProviderScopes: message.modelProviderScopes,
            slots: message.slots,
          },
          heartbeatIntervalMs: this.#options.heartbeatIntervalMs ?? 500,
          leaseKey: this.#signing.publicKey,
        };
      }
      case ROUTES.heartbeat: {
        needs("heartbeat");
        const message = validate(Heartbeat, await request.json());
        this.heartbeats.push(message);
        // Woken for another's sake, it waits on: an early answer would leave the runner unheard until its next one.
        for (const end = performance.now() + (message.waitMs ?? 0); this.directives.length === 0; ) {
          const left = end - performance.now();
          if (left <= 0 || request.signal.aborted || this.#server === null) break;
          await this.#hold(left, request.signal);
        }
        const now = Date.now();
        return {
          serverTime: isoTime(now),
          expiresAt: isoTime(now + 3_600_000),
          directives: this.directives.splice(0),
        };
      }
      case ROUTES.claim:
        return this.#claim(validate(Claim, await request.json()), needs("claim").id, request.signal);
      case ROUTES.auditSnapshot:
        needs("heartbeat");
        this.audits.push(validate(AuditSnapshot, await request.json()));
        return { verdict: "match", fields: [] };
      case ROUTES.drain:
        needs("heartbeat");
        this.drains.push(validate(Drain, await request.json()));
        return { accepted: true };
      default:
        needs("claim");
        return this.#task(url, request);
    }
  }

  async #claim(message: Claim, sessionId: string, signal: AbortSignal): Promise<Lease | null> {
    const repeated = this.#claims.get(message.messageId);
    if (repeated !== undefined) return repeated;
    const end = performance.now() + message.waitMs;
    for (;;) {
      if (signal.aborted) return null;
      const make = this.#queue.shift();
      if (make !== undefined) {
        const signed = signLease(make(sessionId), importSecretKey(this.#signing.secret));
        const lease = this.tamper === null ? signed : this.tamper(signed);
        this.#claims.set(message.messageId, lease);
        if (!this.records.has(lease.leaseId)) {
          this.records.set(lease.leaseId, {
            lease,
            state: "leased",
            chunks: { stdout: [], stderr: [] },
            finals: { stdout: false, stderr: false },
            startedBy: null,
            starts: 0,
            renewals: 0,
            results: [],
            rejected: null,
            cancel: null,
          });
        }
        return lease;
      }
      const left = end - performance.now();
      if (left <= 0) return null;
      await this.#hold(left, signal);
    }
  }

  #leaseState(record: LeaseRecord) {
    const leaseMs = this.#options.leaseMs ?? 30_000;
    return {
      state: record.state,
      expiresAt: isoTime(Date.now() + leaseMs),
      remainingMs: leaseMs,
      directives:
        record.cancel === null
          ? []
          : [
              {
                kind: "cancel",
                leaseId: record.lease.leaseId,
                fencingToken: record.lease.fencingToken,
                reason: record.cancel,
              },
            ],
    };
  }

  async #task(url: URL, request: Request): Promise<unknown> {
    const [, , , leaseId, action, digest] = url.pathname.split("/");
    const record = this.records.get(leaseId!);
    if (record === undefined) throw fail("lease_not_found");
    const check = (message: { attempt: number; fencingToken: number }) => {
      if (message.attempt !== record.lease.attempt || message.fencingToken !== record.lease.fencingToken) {
        throw fail("stale_fence");
      }
    };
    const live = () => {
      if (record.state === "gone") throw fail("runner_lease_expired");
    };
    const query = Object.fromEntries(url.searchParams);
    const identity = { attempt: Number(query["attempt"]), fencingToken: Number(query["fencingToken"]) };
    switch (action) {
      case "started": {
        const message = validate(Started, await request.json());
        check(message);
        live();
        if (record.startedBy !== null && record.startedBy !== message.messageId) throw fail("lease_used");
        if (message.nonce !== record.lease.nonce) throw fail("identity_mismatch");
        if (record.startedBy === null) record.starts++;
        record.startedBy = message.messageId;
        record.state = "started";
        return this.#leaseState(record);
      }
      case "renew":
        check(validate(Renew, await request.json()));
        live();
        if (record.state === "reported") throw fail("lease_state_conflict");
        record.renewals++;
        return this.#leaseState(record);
      case "log": {
        const chunk = validate(LogChunk, {
          ...query,
          ...identity,
          seq: Number(query["seq"]),
          final: query["final"] === "true",
        });
        check(chunk);
        live();
        const stored = record.chunks[chunk.stream];
        if (chunk.seq > stored.length)
          throw fail("log_gap", "a gap", { details: { nextSeq: stored.length } });
        const bytes = await request.bytes();
        if (chunk.seq < stored.length) {
          if (!Buffer.from(stored[chunk.seq]!).equals(bytes))
            throw new Error("a repeated chunk has other bytes");
        } else {
          if (record.finals[chunk.stream]) throw new Error("a chunk after the final one");
          stored.push(this.keepLogs ? bytes : new Uint8Array(0));
          record.finals[chunk.stream] = chunk.final;
        }
        return { nextSeq: stored.length };
      }
      case "artifact": {
        check(identity);
        live();
        // It keeps nothing of a broken upload; what the real one keeps is tested with the real one.
        if (url.searchParams.get("received") !== null) return { offset: 0 };
        const hasher = new Bun.CryptoHasher("sha256");
        const parts: Uint8Array[] = [];
        let size = 0;
        for await (const part of request.body ?? []) {
          hasher.update(part);
          size += part.length;
          if (this.keepLogs) parts.push(part);
        }
        if (hasher.digest("hex") !== digest) throw fail("artifact_digest_mismatch");
        if (this.keepLogs) this.artifacts.set(digest!, Buffer.concat(parts));
        return { sha256: digest, size };
      }
      case "reject":
        check(validate(Reject, await request.clone().json()));
        record.rejected = ((await request.json()) as Reject).reason;
        record.state = "rejected";
        return { accepted: true };
      case "complete":
      case "fail":
        return this.#report(record, validate(TaskResult, await request.json()), action === "complete", live);
      default:
        throw fail("not_found");
    }
  }

  #report(record: LeaseRecord, result: TaskResult, success: boolean, live: () => void): unknown {
    const { messageId: _, ...body } = result;
    if ((result.status === "succeeded") !== success) throw fail("invalid_request");
    const { lease } = record;
    if (result.fencingToken !== lease.fencingToken) throw fail("stale_fence");
    if (result.taskReference !== lease.taskReference || result.policyDigest !== lease.policyDigest) {
      throw fail("identity_mismatch");
    }
    const stored = record.results[0];
    if (stored !== undefined) {
      const { messageId: _first, ...first } = stored;
      if (canonicalJson(first) !== canonicalJson(body)) throw fail("result_conflict");
    }
    live();
    for (const reference of result.artifactRefs) {
      if (this.artifacts.get(reference.sha256)?.length !== reference.size)
        throw fail("artifact_digest_mismatch");
    }
    record.results.push(result);
    record.state = "reported";
    return { state: "accepted", resultDigest: digestOf(body) };
  }
}
