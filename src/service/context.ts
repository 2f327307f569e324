import type { Artifacts } from "../artifacts/index.ts";
import type { Clock } from "../base/clock.ts";
import { fail } from "../base/errors.ts";
import type { Json, JsonObject } from "../base/json.ts";
import type { CortexPlace } from "../cortex/index.ts";
import type {
  CallResolution,
  Operation,
  Query,
  Resolution,
  ResolvedAttempt,
  Started,
  StartRun,
  Topic,
} from "../store/index.ts";
import type { Principal } from "./principal.ts";

/** What the service asks of the orchestrator role, wherever it runs. */
export interface Orchestration {
  /** Whether it answers; one in this process always does. */
  isReady?(): Promise<boolean>;
  start(run: StartRun): Promise<Started>;
  cancel(tenantId: string, runId: string, reason: string): Promise<string>;
  suspend(tenantId: string, runId: string, reason: string): Promise<string>;
  resume(tenantId: string, runId: string): Promise<string>;
  /** @returns whether it is new, and the digest with all that was fetched for it */
  publish(
    tenantId: string,
    document: JsonObject,
    digest: string,
  ): Promise<{ created: boolean; digest: string }>;
  /** What became of a call whose outcome is not known. */
  resolveCall(
    tenantId: string,
    id: string,
    resolution: CallResolution,
    actor: string,
  ): Promise<{ runId: string; stepId: string }>;
  /** Pause the schedule of a published workflow, or let it go on from now. */
  directSchedule(
    key: { tenantId: string; namespace: string; name: string },
    state: "active" | "paused",
    actor: string,
  ): Promise<void>;
  /** Decides what became of an attempt whose outcome nobody knows. */
  resolveAttempt(decision: {
    tenantId: string;
    attempt: string;
    as: Resolution;
    output: Json;
    note: string;
    actor: string;
  }): Promise<ResolvedAttempt>;
  /**
   * Approve what a task is about to do, or reject it. @returns the run that goes on
   * @throws Failure `forbidden`, `conflict`, `approval_expired`, `approval_invalid`
   */
  decideApproval(decision: {
    tenantId: string;
    approvalId: string;
    decision: "approve" | "reject";
    actor: string;
    roles: readonly string[];
    note: string;
  }): Promise<string>;
  /** @returns the run that asked */
  answer(
    tenantId: string,
    taskId: string,
    answer: Json,
    actor: string,
    roles?: readonly string[],
  ): Promise<string>;
}

/** The reading side of the store, and its hints. */
export interface Views {
  read<Input, Output>(query: Query<Input, Output>, input: Input): Output;
  /**
   * A number that is another one after any commit of any process. It is looked at once a turn of the event loop: a
   * request that is read in this turn was sent before it began.
   */
  commits(): number;
  listen(listener: (topic: Topic, keys: ReadonlySet<string>) => void): () => void;
}

/** The writing side of the store: named operations through its single writer, answered when they are on disk. */
export interface Records {
  write<Input, Output>(operation: Operation<Input, Output>, input: Input): Promise<Output>;
}

/** Log bytes as they were spooled. */
export interface LogReader {
  read(leaseId: string, stream: string, position: number, size: number): Promise<Uint8Array>;
}

export interface ServiceContext {
  readonly views: Views;
  /** For what is no transition of a run: those go through the orchestration. */
  readonly records: Records;
  readonly artifacts: Artifacts;
  readonly logs: LogReader;
  readonly clock: Clock;
  readonly tenantId: string;
  /** Who calls; surfaces that know better replace it for each call. */
  readonly principal: Principal;
  /** The project whose assets are served. */
  readonly root: string;
  /** The `/ctx` that runs taken step by step use; from the environment when absent. */
  readonly place?: CortexPlace;
  /** A caller on the Unix socket or in this process may name another project and files of its own. */
  readonly trustsPaths: boolean;
  readonly version: string;
  readonly stateDirectory: string;
  readonly orchestration: Orchestration | null;
  /** Told of each run that was started here. */
  onStarted?(runId: string): void;
}

export function orchestrationOf(context: ServiceContext): Orchestration {
  if (context.orchestration === null) {
    throw fail("no_orchestrator", undefined, {
      hint: "start one with `lightflow up` or `lightflow orchestrator`",
    });
  }
  return context.orchestration;
}

/** Wait for a hint about `key`, at most `timeoutMs`; the caller then reads for the truth. */
export function waitFor(
  views: Views,
  topics: readonly Topic[],
  key: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      unlisten();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, timeoutMs);
    const unlisten = views.listen((topic, keys) => {
      if (topics.includes(topic) && (keys.size === 0 || keys.has(key))) done();
    });
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
