import type { Artifacts } from "../artifacts/index.ts";
import { digestOf } from "../base/canonical.ts";
import { type Clock, isoTime } from "../base/clock.ts";
import { newId } from "../base/ids.ts";
import type { Json, JsonObject } from "../base/json.ts";
import type { Log } from "../base/log.ts";
import type { CallContext } from "../calls/index.ts";
import {
  answerProblem,
  listenerDocument,
  newInstance,
  type Question,
  refuseUnsupported,
  scheduleOf,
} from "../engine/index.ts";
import {
  type AcceptPort,
  type Arming,
  answerQuestion,
  type CallResolution,
  cancelInstance,
  decideApproval,
  directSchedule,
  type EnginePort,
  findSchedule,
  publishDefinition,
  type Resolution,
  type ResolvedAttempt,
  readApproval,
  readDefinition,
  resolveAttempt,
  resolveCall,
  resumeInstance,
  type ScheduleKey,
  type ScheduleRow,
  type Started,
  type StartInput,
  type StartRun,
  type Store,
  type StoredSnapshot,
  startInstance,
  suspendInstance,
} from "../store/index.ts";
import { type ApprovalDecision, spoiltOf } from "./approval-gate.ts";
import { ArchiveLoop } from "./archive-loop.ts";
import { type CallOptions, callContexts } from "./call-options.ts";
import { limitsOfCall } from "./call-request.ts";
import { resolvedAs } from "./call-resolution.ts";
import { createEnginePort } from "./engine-port.ts";
import { EventLoop } from "./event-loop.ts";
import { type Linked, linkDocument } from "./link.ts";
import { refuseMissingSecrets } from "./missing-secrets.ts";
import { NativeLoop } from "./native-loop.ts";
import { Policies } from "./policies.ts";
import { resolvedInput } from "./result.ts";
import { acceptance, ResultLoop } from "./result-loop.ts";
import { RetentionLoop } from "./retention-loop.ts";
import { firstDue } from "./schedules/next-due.ts";
import { ScheduleLoop } from "./schedules/schedule-loop.ts";
import { TimerLoop } from "./timer-loop.ts";
import { WebhookLoop } from "./webhook-loop.ts";

/** Long enough that whoever looks for what went wrong finds it in the store. */
const HISTORY_DAYS = 30;

export interface OrchestratorOptions {
  store: Store;
  artifacts: Artifacts;
  clock: Clock;
  log: Log;
  calls?: CallOptions;
  /** The lanes whose start events it takes; all of them where nothing is said. */
  lanes?: readonly string[];
  /** Days after which the history of a run that has ended becomes an artifact; 0 for never. */
  historyDays?: number;
  /** Removes spooled output of a lease's stream, `lease/stream`; without it what retention ends stays. */
  removeSpool?(target: string): Promise<void>;
}

/** The orchestrator role of one process: the only one that starts and advances workflow instances. */
export class Orchestrator {
  readonly #options: OrchestratorOptions;
  readonly #engine: EnginePort;
  readonly #policies: Policies;
  readonly #results: ResultLoop;
  readonly #timers: TimerLoop;
  readonly #webhooks: WebhookLoop;
  readonly #native: NativeLoop;
  readonly #events: EventLoop;
  readonly #archive: ArchiveLoop | null;
  readonly #retention: RetentionLoop | null;
  readonly #schedules: ScheduleLoop;
  readonly #stopping = new AbortController();
  /** Digests of documents that this build can run. */
  readonly #runnable = new Set<string>();
  /** Digests of documents that have all they need inside. */
  readonly #whole = new Set<string>();
  readonly #readResource: CallContext["readResource"];

  /** For a controller in the same process. */
  readonly acceptance: AcceptPort;

  constructor(options: OrchestratorOptions) {
    this.#options = options;
    this.#policies = new Policies(options.store);
    this.#engine = createEnginePort(
      options.clock,
      this.#policies,
      () => this.#native.claims(),
      (sha256) => options.artifacts.has(sha256),
      options.calls?.secrets,
    );
    const context = callContexts(options.calls ?? {}, options.clock, options.log);
    this.#readResource = context(this.#stopping.signal).readResource;
    // Loops begin at once, and whatever they advance may make calls.
    this.#native = new NativeLoop(options, options.calls ?? {}, this.#engine, (call) =>
      limitsOfCall(call, this.#policies),
    );
    this.acceptance = acceptance(this.#engine);
    this.#results = new ResultLoop(options, this.#engine);
    this.#timers = new TimerLoop(options, this.#engine);
    this.#webhooks = new WebhookLoop(options, options.calls?.secrets, context);
    this.#events = new EventLoop(options, this.#engine);
    const days = options.historyDays ?? HISTORY_DAYS;
    this.#archive = days === 0 ? null : new ArchiveLoop(options, days);
    const { removeSpool } = options;
    this.#retention = removeSpool === undefined ? null : new RetentionLoop({ ...options, removeSpool });
    this.#schedules = new ScheduleLoop(options, (row, due) => this.#scheduled(row, due));
  }

  /** Start a run: resolve its policy, write instance and first events, advance to the first effects; one commit. */
  async start(run: StartRun): Promise<Started> {
    const { document, digest } = await this.#link(run.document, run.digest);
    // Which request it is does not change with what was fetched for it.
    return await this.#options.store.write(startInstance, this.#startInput({ ...run, document }, digest));
  }

  /** @throws Failure that says why the run cannot be started */
  #startInput(run: StartRun, digest = run.digest): StartInput {
    this.#refuseUnsupported(run.document, digest);
    refuseMissingSecrets(this.#options.calls?.secrets, run.tenantId, run.document);
    const policy = this.#policies.for(run.tenantId, run.document, digest, run.workspace);
    const now = this.#options.clock.wall();
    const instanceId = newId();
    return {
      engine: this.#engine,
      instanceId,
      tenantId: run.tenantId,
      runId: run.runId,
      requestDigest: digestOf({ workflow: run.workflow, definition: run.digest, input: run.input }),
      idempotent: run.idempotent,
      sourceEventId: run.sourceEventId,
      workflow: run.workflow,
      definition: definitionOf(run.document, digest, run.assetId),
      policy: this.#policies.stored(policy),
      snapshot: () =>
        ({
          ...newInstance(instanceId, run.runId, now),
          ...(run.private === true ? { private_input: true } : {}),
        }) as unknown as StoredSnapshot,
      input: run.input,
      options: run.options,
      reuse: run.reuse,
      now,
    };
  }

  cancel(tenantId: string, runId: string, reason: string): Promise<string> {
    const { store, clock } = this.#options;
    return store.write(cancelInstance, { engine: this.#engine, tenantId, runId, reason, now: clock.wall() });
  }

  /** What has begun goes on; nothing new begins until the run is resumed. @returns the status afterwards */
  suspend(tenantId: string, runId: string, reason: string): Promise<string> {
    const { store, clock } = this.#options;
    return store.write(suspendInstance, { engine: this.#engine, tenantId, runId, reason, now: clock.wall() });
  }

  resume(tenantId: string, runId: string): Promise<string> {
    const { store, clock } = this.#options;
    const now = clock.wall();
    return store.write(resumeInstance, { engine: this.#engine, tenantId, runId, reason: "", now });
  }

  /**
   * Publish a document under its name, for other workflows to run; its schedule begins, unless a higher version has one.
   * @returns whether it is new, and the digest with all that stood elsewhere
   */
  async publish(
    tenantId: string,
    written: JsonObject,
    writtenDigest: string,
  ): Promise<{ created: boolean; digest: string }> {
    const { document, digest } = await this.#link(written, writtenDigest);
    this.#refuseUnsupported(document, digest);
    this.#policies.for(tenantId, document, digest);
    const created = await this.#options.store.write(publishDefinition, {
      engine: this.#engine,
      tenantId,
      definition: definitionOf(document, digest, null),
      schedule: this.#arming(tenantId, document),
      now: this.#options.clock.wall(),
    });
    return { created, digest };
  }

  async #link(document: JsonObject, digest: string): Promise<Linked> {
    if (this.#whole.has(digest)) return { document, digest };
    this.#refuseUnsupported(document, digest);
    const linked = await linkDocument(document, digest, this.#readResource);
    if (linked.digest === digest) keep(this.#whole, digest);
    return linked;
  }

  /** Pause a schedule, or let it go on from now. */
  async directSchedule(key: ScheduleKey, state: "active" | "paused", actor: string): Promise<void> {
    const { store, clock } = this.#options;
    const document = store.read(readDefinition, store.read(findSchedule, key).digest)!;
    const { nextAt, listener } = this.#arming(key.tenantId, document)!;
    const now = clock.wall();
    await store.write(directSchedule, { engine: this.#engine, key, state, nextAt, listener, actor, now });
  }

  /** How the schedule of a document begins, or null where it has none. */
  #arming(tenantId: string, document: JsonObject): Arming | null {
    const now = this.#options.clock.wall();
    const spec = scheduleOf(document, now);
    if (spec === null) return null;
    const listens = spec.kind === "on" ? listenerDocument(document) : null;
    const { name } = document["document"] as { name: string };
    return {
      kind: spec.kind,
      spec: JSON.stringify(spec),
      nextAt: firstDue(spec, now),
      listener:
        listens === null
          ? null
          : this.#startInput({
              ...SCHEDULED,
              tenantId,
              runId: `schedule.${name}.${newId()}`,
              sourceEventId: null,
              workflow: `schedule of ${name}`,
              document: listens,
              digest: digestOf(listens),
            }),
    };
  }

  /** The run that a due time makes. */
  #scheduled(row: ScheduleRow, due: number): StartInput {
    const document = this.#options.store.read(readDefinition, row.digest)!;
    const time = isoTime(due).replace(/[-:.]/g, "");
    return this.#startInput({
      ...SCHEDULED,
      tenantId: row.tenant_id,
      runId: `${row.name}-${time}-${row.digest.slice(-8)}`,
      sourceEventId: `schedule:${row.digest}:${due}`,
      workflow: row.name,
      document,
      digest: row.digest,
    });
  }

  /** Answer a question of a workflow. @returns the run that goes on */
  async answer(
    tenantId: string,
    taskId: string,
    answer: Json,
    actor: string,
    roles: readonly string[] = [],
  ): Promise<string> {
    const { store, clock } = this.#options;
    const { runId, refused } = await store.write(answerQuestion, {
      engine: this.#engine,
      tenantId,
      taskId,
      answer,
      actor,
      roles,
      problem: (question, value) => answerProblem(question as unknown as Question, value),
      now: clock.wall(),
    });
    if (refused !== null) throw refused;
    return runId;
  }

  /** Approve what a task is about to do, or reject it. @returns the run that goes on */
  async decideApproval({ tenantId, approvalId, ...rest }: ApprovalDecision): Promise<string> {
    const { store, artifacts, clock } = this.#options;
    const { binding } = store.read(readApproval, { tenantId, approvalId });
    const spoilt = rest.decision === "approve" ? await spoiltOf(binding.artifacts, artifacts) : [];
    const { runId, refused } = await store.write(decideApproval, {
      ...rest,
      engine: this.#engine,
      tenantId,
      approvalId,
      spoilt,
      now: clock.wall(),
    });
    if (refused !== null) throw refused;
    return runId;
  }

  /** What became of a call whose outcome is not known, as an operator says. @returns the run that goes on */
  resolveCall(
    tenantId: string,
    id: string,
    resolution: CallResolution,
    actor: string,
  ): Promise<{ runId: string; stepId: string }> {
    const { store, clock } = this.#options;
    const as = resolvedAs(resolution);
    return store.write(resolveCall, { engine: this.#engine, tenantId, id, as, actor, now: clock.wall() });
  }

  /** Decide what became of an attempt whose outcome nobody knows. @returns the attempt */
  resolveAttempt(decision: {
    tenantId: string;
    attempt: string;
    as: Resolution;
    output: Json;
    note: string;
    actor: string;
  }): Promise<ResolvedAttempt> {
    const { store, clock } = this.#options;
    const { output, ...rest } = decision;
    return store.write(resolveAttempt, {
      ...rest,
      engine: this.#engine,
      now: clock.wall(),
      toInput: (effect, lease) =>
        resolvedInput(effect, rest.as === "succeeded" ? "succeeded" : "failed", lease, { ...rest, output }),
    });
  }

  stop(): void {
    this.#stopping.abort();
    this.#results.stop();
    this.#timers.stop();
    this.#native.stop();
    this.#events.stop();
    this.#archive?.stop();
    this.#retention?.stop();
    this.#webhooks.stop();
    this.#schedules.stop();
  }

  /** Refuses by name what would only fail half-way. */
  #refuseUnsupported(document: JsonObject, digest: string): void {
    if (this.#runnable.has(digest)) return;
    refuseUnsupported(document);
    keep(this.#runnable, digest);
  }
}

/** Remember a digest; what is forgotten is found out again. */
function keep(digests: Set<string>, digest: string): void {
  if (digests.size >= 1024) digests.clear();
  digests.add(digest);
}

/** What starts by itself has no caller. */
const SCHEDULED = { idempotent: false, assetId: null, input: {} } as const;

function definitionOf(
  document: JsonObject,
  digest: string,
  assetId: string | null,
): StartInput["definition"] {
  const { namespace, name, version } = document["document"] as Record<
    "namespace" | "name" | "version",
    string
  >;
  return { digest, namespace, name, version, assetId, document: () => JSON.stringify(document) };
}
