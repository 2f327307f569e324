import type { Clock } from "../base/clock.ts";
import type { Json, JsonObject } from "../base/json.ts";
import type { Log } from "../base/log.ts";
import type { CortexPlace } from "../cortex/index.ts";
import type { TokenCache } from "./authentication/token-cache.ts";
import type { DestinationPolicy } from "./destination/policy.ts";
import type { Sent } from "./error.ts";

const CALL_KINDS = [
  "http",
  "openapi",
  "grpc",
  "asyncapi",
  "a2a",
  "mcp",
  "cortex",
  "agent",
  "agent-service",
] as const;
export type CallKind = (typeof CALL_KINDS)[number];

/** Decides about one message of a subscription; an expression of the document behind it. */
export type MessagePredicate = (message: Json, index: number) => boolean | Promise<boolean>;

export interface CallRequest {
  readonly kind: CallKind;
  /**
   * The arguments of the task with every expression evaluated. Two additions to the DSL's own: `uriVariables`, the
   * values for `{name}` in an endpoint, and nothing where an expression has to see a message ({@link predicates}).
   */
  readonly with: JsonObject;
  /** The policy itself (`{basic: {…}}`), with references and secrets resolved. Never logged. */
  readonly authentication?: JsonObject;
  readonly timeoutMs: number;
  /** Sent as `Idempotency-Key` with requests that are not safe to repeat. */
  readonly idempotencyKey: string;
  /** Values that the document took from `$secrets`: masked in every error text. */
  readonly secrets?: readonly string[];
  /** For an AsyncAPI subscription. */
  readonly predicates?: {
    readonly filter?: MessagePredicate;
    readonly while?: MessagePredicate;
    readonly until?: MessagePredicate;
    /** Done with each message that is kept, before the next one is looked at (`foreach`). */
    readonly each?: (message: Json, index: number) => void | Promise<void>;
  };
}

/** A file elsewhere: `endpoint` of an external resource, `{uri, authentication}` or the address alone. */
export type ResourceEndpoint = string | { readonly uri: string; readonly authentication?: JsonObject };

export interface CallContext {
  readonly fetch: typeof fetch;
  /** Every address of a host name, in order of preference. */
  resolveHost(name: string): Promise<string[]>;
  readonly policy: DestinationPolicy;
  /** Certificate authorities in PEM, trusted in place of the system's. The operator's choice, never a document's. */
  readonly trust?: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Where it is of this call alone: what `signal` is the signal of. Late and failed calls abort it. */
  readonly controller?: AbortController;
  readonly log: Log;
  readResource(endpoint: ResourceEndpoint): Promise<Uint8Array>;
  readonly tokenCache: TokenCache;
  /** What a program that a call starts (MCP over stdio) sees, and where its stderr goes; `PATH` and nowhere unless said. */
  readonly programs?: {
    readonly environment: Readonly<Record<string, string>>;
    readonly stderr: "ignore" | "inherit";
  };
  /** The `/ctx` of this host; that of the environment where it is not told. */
  readonly cortex?: CortexPlace;
}

/** What one running call shares: its context, its own deadline, and what it knows about itself. */
export interface CallScope extends CallContext {
  readonly idempotencyKey: string;
  /** On the monotonic clock. */
  readonly deadline: number;
  /** Set before a request that may have an effect leaves, taken back when it is known that it never did. */
  sent: Sent;
  /** Texts that no error may show. */
  readonly secrets: Set<string>;
}
