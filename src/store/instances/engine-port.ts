import type { Json, JsonObject } from "../../base/json.ts";
import type { PublishedAgent } from "../agents/agents.ts";
import type { ApprovalGate } from "../approvals/approval.ts";
import type { StepKey } from "../cache/consult.ts";
import type { ConcurrencyClaim } from "../leases/concurrency.ts";
import type { ClaimedCall } from "./calls.ts";
import type { EventRow } from "./events.ts";

/** The engine as the store sees it: pure functions, called inside the transaction with what was read there. */
export interface EnginePort {
  readonly version: number;
  /** One input into a snapshot. Uses `snapshot` up. */
  advance(
    definition: StoredDefinition,
    snapshot: StoredSnapshot,
    input: StoredInput,
    now: number,
  ): {
    snapshot: StoredSnapshot;
    effects: StoredEffect[];
    transitions: EventRow[];
    /** The same as CloudEvents of the types that are wanted; `key` makes their ids. */
    lifecycle(key: string, wanted: (type: string) => boolean): JsonObject[];
  };
  /** What a runner effect becomes in the queue, or the reason why policy refuses it. */
  request(effect: RunEffect, instance: InstanceRow): QueuedRequest | { denied: StoredInput };
  /**
   * Where the call of an agent is made, and all that is pinned for it: the agent by its digest, its budgets, whose model it
   * may call. Null for every other call.
   */
  placeAgent?(
    effect: CallEffect,
    instance: InstanceRow,
    published: AgentLookup,
  ): PlacedAgent | { denied: StoredInput; placement: JsonObject } | null;
  /** A call that a runner makes, as a request; null for one that goes out from here. */
  runnerCall?(
    effect: CallEffect,
    instance: InstanceRow,
  ): { effect: RunEffect; request: QueuedRequest } | { denied: StoredInput } | null;
  /** What a person has to agree to before a call is made, null for nothing, or the reason why policy refuses it. */
  callGate?(effect: CallEffect, instance: InstanceRow): ApprovalGate | null | { denied: StoredInput };
  /** What a task hears whose approval was not given. */
  unapproved(effectId: string, code: string, detail: string, approval: string): StoredInput;
  /** A new instance of a document, and its policy. */
  child(
    tenantId: string,
    document: string,
    digest: string,
    instanceId: string,
    runId: string,
    depth: number,
    now: number,
    isPrivate: boolean,
  ): { snapshot(): StoredSnapshot; policy: { digest: string; body: string } };
  /** What a task hears that runs a workflow which is not published. */
  noWorkflow(effect: WorkflowEffect): StoredInput;
  /** What an expression gives of an event, as listeners are kept by; null for nothing, undefined where it cannot be known. */
  correlation(from: string, event: JsonObject): string | null | undefined;
  /** Whether an event's data may be private to the tenant. */
  isPrivateEvent(event: JsonObject): boolean;
  /** What the task hears instead of an input that would make the state too large; null where no task waits for it. */
  tooLarge(input: StoredInput, problem: string): StoredInput | null;
  /** What a task hears when policy does not let it run, or no longer. */
  revoked(effectId: string, reason: string): StoredInput;
  /** Whether outputs of a document's steps may be kept. */
  caches(definition: StoredDefinition): boolean;
  /** What a step's output depends on, or null for a step that is done anew each time. */
  stepKey(
    definition: StoredDefinition,
    effect: RunEffect | CallEffect,
    request: QueuedRequest | null,
  ): StepKey | null;
  hasArtifact(sha256: string): boolean;
  /** Where this process makes calls and has room: under whose name, until when, and what to do once it is committed. */
  claimsCalls?(): { owner: string; until: number; make: (call: ClaimedCall) => void } | null;
}

export interface AgentLookup {
  agent(reference: string): PublishedAgent | null;
  /** The text of a skill by its digest. */
  skill(digest: string): string | null;
}

/** An agent's call as it will be made, and the decision for the history and the audit. */
export interface PlacedAgent {
  /** A call of the orchestrator's own, or work for a runner. */
  readonly effect: CallEffect | RunEffect;
  readonly placement: JsonObject;
}

export interface StoredDefinition {
  readonly digest: string;
  document(): string;
}
export interface StoredSnapshot {
  status: string;
}
export interface StoredInput {
  kind: string;
}
export interface RunEffect {
  kind: "run";
  id: string;
  step_id: string;
  reference: string;
}
export interface CallEffect {
  kind: "call";
  id: string;
  step_id: string;
  reference: string;
  request: { repeatable: boolean };
}
export interface ListenEffect {
  kind: "listen";
  id: string;
  filters: { type: string; from: string; value: string }[];
}
export interface WorkflowEffect {
  kind: "workflow";
  id: string;
  namespace: string;
  name: string;
  version: string;
  input: Json;
  depth: number;
  await: boolean;
  private?: true;
}
export interface AskEffect {
  kind: "ask";
  id: string;
  step_id: string;
  reference: string;
  question: JsonObject;
}
export interface EmitEffect {
  kind: "emit";
  id: string;
  event: JsonObject;
}
export type StoredEffect =
  | ListenEffect
  | EmitEffect
  | AskEffect
  | WorkflowEffect
  | RunEffect
  | CallEffect
  | { kind: "timer"; id: string; due_at: number }
  | { kind: "continue"; id: string }
  | { kind: "cancel"; id: string };

/** How long what a task hands over is kept, in milliseconds; what is not said is kept as long as the run. */
export interface Retention {
  readonly artifactMs?: number;
  readonly logMs?: number;
}

export interface QueuedRequest {
  id: string;
  /** Canonical JSON of what a runner must offer: the queue's partition. */
  requirement: JsonObject;
  payload: JsonObject;
  workspaceKey: string | null;
  repeatable: boolean;
  /** Higher comes first. */
  priority: number;
  /** Tasks that share a key run at most so many at a time. */
  concurrency: readonly ConcurrencyClaim[];
  expiresAt: number;
  retention?: Retention;
  /** What a person has to agree to before it is queued. */
  gate?: ApprovalGate;
}

export interface InstanceRow {
  id: string;
  tenant_id: string;
  run_id: string;
  definition_digest: string;
  policy_digest: string;
  workflow: string;
  status: string;
  version: number;
  input_seq: number;
  snapshot: string;
  created_at: number;
  updated_at: number;
  finished_at: number | null;
  /** {@link RunOptions} as JSON. */
  options?: string | null;
}
