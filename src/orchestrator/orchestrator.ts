import type { Artifacts } from "../artifacts/index.ts";
import { digestOf } from "../base/canonical.ts";
import type { Clock } from "../base/clock.ts";
import { fail } from "../base/errors.ts";
import { newId } from "../base/ids.ts";
import type { Json, JsonObject } from "../base/json.ts";
import type { Log } from "../base/log.ts";
import { answerProblem, newInstance, type Question, refuseUnsupported } from "../engine/index.ts";
import { LOCAL_PROFILE, type PolicySnapshot, policyRequest, snapshotPolicy } from "../policy/index.ts";
import {
  answerQuestion,
  cancelInstance,
  type EnginePort,
  publishDefinition,
  readPolicy,
  receiveEvent,
  resolveCall,
  resumeInstance,
  type Started,
  type Store,
  type StoredSnapshot,
  startInstance,
  suspendInstance,
} from "../store/index.ts";
import type { CallOptions } from "./call-options.ts";
import { type CallResolution, resolvedAs } from "./call-resolution.ts";
import { createEnginePort } from "./engine-port.ts";
import { EventLoop } from "./event-loop.ts";
import { NativeLoop } from "./native-loop.ts";
import { ResultLoop } from "./result-loop.ts";
import { TimerLoop } from "./timer-loop.ts";

export interface OrchestratorOptions {
  store: Store;
  artifacts: Artifacts;
  clock: Clock;
  log: Log;
  calls?: CallOptions;
}

export interface StartRun {
  tenantId: string;
  runId: string;
  /** True when the caller named the run and a repeat with the same content should find it. */
  idempotent: boolean;
  sourceEventId: string | null;
  /** Asset or document name, for lists. */
  workflow: string;
  assetId: string | null;
  document: JsonObject;
  digest: string;
  input: Json;
}

/** The orchestrator role of one process: the only one that starts and advances workflow instances. */
export class Orchestrator {
  readonly #options: OrchestratorOptions;
  readonly #engine: EnginePort;
  readonly #policies = new Map<string, PolicySnapshot>();
  readonly #results: ResultLoop;
  readonly #timers: TimerLoop;
  readonly #native: NativeLoop;
  readonly #events: EventLoop;
  /** Digests of documents that this build can run. */
  readonly #runnable = new Set<string>();

  constructor(options: OrchestratorOptions) {
    this.#options = options;
    this.#engine = createEnginePort(
      options.clock,
      (digest) => this.#policyOf(digest),
      (document) => this.#policyFor(document),
      () => this.#native.claims(),
    );
    // Loops begin at once, and whatever they advance may make calls.
    this.#native = new NativeLoop(options, options.calls ?? {}, this.#engine);
    this.#results = new ResultLoop(options, this.#engine);
    this.#timers = new TimerLoop(options, this.#engine);
    this.#events = new EventLoop(options, this.#engine);
  }

  /** Start a run: resolve its policy, write instance and first events, advance to the first effects; one commit. */
  async start(run: StartRun): Promise<Started> {
    const { clock, store } = this.#options;
    this.#refuseUnsupported(run.document, run.digest);
    this.#refuseMissingSecrets(run.tenantId, run.document);
    const policy = this.#policyFor(run.document);
    const now = clock.wall();
    const instanceId = newId();
    const named = run.document["document"] as { namespace: string; name: string; version: string };
    return await store.write(startInstance, {
      engine: this.#engine,
      instanceId,
      tenantId: run.tenantId,
      runId: run.runId,
      requestDigest: digestOf({ workflow: run.workflow, definition: run.digest, input: run.input }),
      idempotent: run.idempotent,
      sourceEventId: run.sourceEventId,
      workflow: run.workflow,
      definition: {
        digest: run.digest,
        namespace: named.namespace,
        name: named.name,
        version: named.version,
        assetId: run.assetId,
        document: () => JSON.stringify(run.document),
      },
      policy: { digest: policy.digest, body: JSON.stringify(policy.body) },
      snapshot: newInstance(instanceId, run.runId, now) as unknown as StoredSnapshot,
      input: run.input,
      now,
    });
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

  /** Publish a document under its name, for other workflows to run. @returns whether it is new */
  async publish(tenantId: string, document: JsonObject, digest: string): Promise<boolean> {
    this.#refuseUnsupported(document, digest);
    this.#policyFor(document);
    const { namespace, name, version } = document["document"] as Record<
      "namespace" | "name" | "version",
      string
    >;
    return await this.#options.store.write(publishDefinition, {
      tenantId,
      definition: {
        digest,
        namespace,
        name,
        version,
        assetId: null,
        document: () => JSON.stringify(document),
      },
      now: this.#options.clock.wall(),
    });
  }

  /** Answer a question of a workflow. @returns the run that goes on */
  answer(tenantId: string, taskId: string, answer: Json, actor: string): Promise<string> {
    const { store, clock } = this.#options;
    return store.write(answerQuestion, {
      engine: this.#engine,
      tenantId,
      taskId,
      answer,
      actor,
      problem: (question, value) => answerProblem(question as unknown as Question, value),
      now: clock.wall(),
    });
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

  /** Take in a CloudEvent for whoever listens. @returns false when it had come before */
  receive(tenantId: string, event: JsonObject): Promise<boolean> {
    return this.#options.store.write(receiveEvent, { tenantId, event, now: this.#options.clock.wall() });
  }

  stop(): void {
    this.#results.stop();
    this.#timers.stop();
    this.#native.stop();
    this.#events.stop();
  }

  /** Refuses by name what would only fail half-way. */
  #refuseUnsupported(document: JsonObject, digest: string): void {
    if (this.#runnable.has(digest)) return;
    refuseUnsupported(document);
    if (this.#runnable.size >= 1024) this.#runnable.clear();
    this.#runnable.add(digest);
  }

  /** Names what has to be set first; the values stay where they are. */
  #refuseMissingSecrets(tenantId: string, document: JsonObject): void {
    const names = ((document["use"] as JsonObject | undefined)?.["secrets"] ?? []) as string[];
    const missing = names.filter((name) => this.#options.calls?.secrets?.has(tenantId, name) !== true);
    if (missing.length === 0) return;
    throw fail("secret_denied", `the workflow needs secrets that are not set: ${missing.join(", ")}`, {
      hint: `lightflow secret set ${missing[0]}`,
      details: { secrets: missing },
    });
  }

  #policyFor(document: JsonObject): { digest: string; body: PolicySnapshot } {
    const metadata = (document["document"] as JsonObject | undefined)?.["metadata"] as JsonObject | undefined;
    const policy = snapshotPolicy(
      LOCAL_PROFILE,
      policyRequest((metadata?.["lightWorkflow"] ?? {}) as JsonObject),
    );
    this.#remember(policy.digest, policy.body);
    return policy;
  }

  #policyOf(digest: string): PolicySnapshot {
    const known = this.#policies.get(digest);
    if (known !== undefined) return known;
    const stored = this.#options.store.read(readPolicy, digest);
    if (stored === null) throw fail("internal", `the policy snapshot ${digest} is missing`);
    return this.#remember(digest, stored as unknown as PolicySnapshot);
  }

  #remember(digest: string, policy: PolicySnapshot): PolicySnapshot {
    if (this.#policies.size >= 256) this.#policies.delete(this.#policies.keys().next().value!);
    this.#policies.set(digest, policy);
    return policy;
  }
}
