import type { Failure } from "../../src/base/errors.ts";
import type { JsonObject } from "../../src/base/json.ts";
import type { Attempt } from "../providers/call.ts";
import type { Delta } from "../providers/conversation.ts";
import type { AuditFacts } from "./audit.ts";
import type { Engine } from "./engine.ts";
import type { Provider } from "./providers.ts";
import type { RequestRow } from "./store/store.ts";

/** Who acts, with the uid whose files are meant: root may act in another's home. */
export interface Actor {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

/** What a committed body asks for, as its surface understood it. */
export interface Plan {
  /** Shown as `<id>.route.json`; null for surfaces without routes. */
  readonly route: JsonObject | null;
  /** Whose slot it takes; a request beyond the provider's limit waits in state `queued`. */
  readonly provider: Provider | undefined;
  readonly streams: boolean;
  readonly run: (context: RunContext) => Promise<RunResult>;
}

export interface RunContext {
  readonly row: RequestRow;
  readonly signal: AbortSignal;
  readonly onDelta: (delta: Delta) => void;
}

export interface RunResult {
  readonly body: string;
  readonly provider?: string;
  readonly model?: string;
  readonly tool?: string;
  readonly attempts?: readonly Attempt[];
  readonly inputTokens?: number;
  readonly outputTokens?: number;
}

/** Reads a body and says what to do; throws EINVAL for a body that can never be run, {@link Denied} for policy. */
export type Planner = (engine: Engine, request: PlanRequest) => Plan;

export interface PlanRequest {
  readonly uid: number;
  readonly gid: number;
  readonly surface: string;
  readonly id: string;
  readonly body: Uint8Array;
  readonly fingerprint: string;
}

/** Policy or configuration stands against a request: EACCES at the rename, and an audit line with the reason. */
export class Denied {
  readonly reason: string;
  readonly provider: string;
  constructor(reason: string, provider = "") {
    this.reason = reason;
    this.provider = provider;
  }
}

/** A run that ends in `<id>.error` with members of its own beside the message. */
export class Refusal extends Error {
  readonly failure: Failure;
  readonly members: JsonObject;
  readonly attempts: readonly Attempt[];
  constructor(failure: Failure, members: JsonObject = {}, attempts: readonly Attempt[] = []) {
    super(failure.message);
    this.failure = failure;
    this.members = members;
    this.attempts = attempts;
  }
}

export const actorFacts = ({ uid, gid, pid }: Actor): Pick<AuditFacts, "uid" | "gid" | "pid"> => ({
  uid,
  gid,
  pid,
});
