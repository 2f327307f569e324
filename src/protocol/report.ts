import { type Static, Type } from "@sinclair/typebox";
import {
  Count,
  closed,
  Digest,
  leaseIdentity,
  Name,
  SandboxMode,
  SandboxProvider,
  Sentence,
  Sha256,
  Timestamp,
  Token,
  Uuid,
} from "./common.ts";
import { Directive } from "./session.ts";

/** `POST /runner/task/{leaseId}/started`: uses up the nonce. */
export const Started = closed({
  ...leaseIdentity,
  nonce: Token,
  startedAt: Timestamp,
  sandbox: Type.Optional(SandboxProvider),
});
export type Started = Static<typeof Started>;

/** `POST /runner/task/{leaseId}/renew`. */
export const Renew = closed({ ...leaseIdentity });
export type Renew = Static<typeof Renew>;

/** Answer to `started`, `renew` and `progress`: the time left, and whether to stop. */
export const LeaseState = closed({
  state: Name,
  expiresAt: Timestamp,
  remainingMs: Count,
  directives: Type.Array(Directive),
});
export type LeaseState = Static<typeof LeaseState>;

/** `POST /runner/task/{leaseId}/progress`. */
export const Progress = closed({
  ...leaseIdentity,
  value: Type.Number(),
  maximum: Type.Optional(Type.Number()),
  unit: Type.Optional(Type.String({ maxLength: 32 })),
  message: Type.Optional(Sentence),
});
export type Progress = Static<typeof Progress>;

/**
 * Query of `POST /runner/task/{leaseId}/log`; the body is the raw, already redacted bytes
 * (`application/octet-stream`). A repeat of a stored `(lease, stream, seq)` is answered as the first was.
 */
export const LogChunk = closed({
  messageId: leaseIdentity.messageId,
  attempt: leaseIdentity.attempt,
  fencingToken: leaseIdentity.fencingToken,
  stream: Type.Union([Type.Literal("stdout"), Type.Literal("stderr")]),
  seq: Count,
  final: Type.Boolean(),
});
export type LogChunk = Static<typeof LogChunk>;
export type LogStream = LogChunk["stream"];

export const LogAccepted = closed({ nextSeq: Count });
export type LogAccepted = Static<typeof LogAccepted>;

/** `PUT /runner/task/{leaseId}/artifact/{sha256}` stores bytes; the result then names them. */
export const ArtifactStored = closed({ sha256: Sha256, size: Count });
export type ArtifactStored = Static<typeof ArtifactStored>;

/** In the query of that PUT: the bytes begin at `offset` of `size`, so that a broken upload goes on where it stopped. */
export const ArtifactUpload = closed({ size: Count, offset: Count });
/** `GET …?received=1`: where to go on. */
export const ArtifactReceived = closed({ offset: Count });

export const ArtifactReference = closed({
  name: Name,
  sha256: Sha256,
  size: Count,
  mediaType: Type.String({ maxLength: 255 }),
  /** `artifact://sha256/<hex>` */
  uri: Type.String({ maxLength: 255 }),
});
export type ArtifactReference = Static<typeof ArtifactReference>;

export const ResultStatus = Type.Union([
  Type.Literal("succeeded"),
  Type.Literal("failed"),
  Type.Literal("cancelled"),
  Type.Literal("timed_out"),
  Type.Literal("unknown"),
]);

export const RetrySafety = Type.Union([
  Type.Literal("safe"),
  Type.Literal("unsafe"),
  Type.Literal("inspect-required"),
]);

/** A host and port that a task with an allow-listed network asked for, whether it was let through or not. */
export const EgressRecord = closed({
  host: Type.String({ maxLength: 255 }),
  port: Type.Integer({ minimum: 0, maximum: 65_535 }),
  allowed: Type.Boolean(),
  connections: Count,
  sentBytes: Count,
  receivedBytes: Count,
});
export type EgressRecord = Static<typeof EgressRecord>;

/** What an agent's call used, as the runner counted it outside the sandbox. */
export const AgentUse = closed({
  turns: Count,
  inputTokens: Count,
  outputTokens: Count,
  /** Millionths of the provider's currency; null where nothing says what a token costs. */
  costMicros: Type.Union([Count, Type.Null()]),
  /** Of all requests to the model. */
  bytes: Count,
  refusedTools: Count,
  repairAttempts: Count,
});
export type AgentUse = Static<typeof AgentUse>;

/**
 * Body of `POST /runner/task/{leaseId}/complete` (status `succeeded`) and `/fail` (any other): the normalised
 * command result. Identity and digests are echoes that the server compares with what it issued.
 */
export const TaskResult = closed({
  ...leaseIdentity,
  taskId: Name,
  taskReference: Type.String({ maxLength: 4096 }),
  runnerId: Name,
  policyDigest: Digest,
  commandTemplateId: Type.Optional(Name),
  approvalRefs: Type.Optional(Type.Array(Uuid, { maxItems: 16 })),
  status: ResultStatus,
  /** A code of the error table when the status is not `succeeded`. */
  errorCode: Type.Optional(Name),
  exitCode: Type.Union([Type.Integer(), Type.Null()]),
  signal: Type.Union([Type.String({ maxLength: 16 }), Type.Null()]),
  startedAt: Timestamp,
  completedAt: Timestamp,
  durationMs: Count,
  summary: Sentence,
  /** `artifact://sha256/<hex>`; a long log is one Zstandard frame and says so: `…?encoding=zstd`. */
  stdoutRef: Type.Union([Type.String({ maxLength: 255 }), Type.Null()]),
  stderrRef: Type.Union([Type.String({ maxLength: 255 }), Type.Null()]),
  artifactRefs: Type.Array(ArtifactReference, { maxItems: 1024 }),
  /** Structured output of the task, checked JSON; null when it declares none. */
  output: Type.Unknown(),
  /** Where the task went; only with an allow-listed network. */
  egress: Type.Optional(Type.Array(EgressRecord, { maxItems: 256 })),
  changedFiles: Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 4096 }),
  agentUse: Type.Optional(AgentUse),
  aiDiagnosisAllowed: Type.Boolean(),
  retrySafety: RetrySafety,
  sandbox: closed({ provider: SandboxProvider, boundary: Name, mode: Type.Optional(SandboxMode) }),
  /** Where the files came from when they were a copy, and what became of them. */
  workspace: Type.Optional(
    closed({
      copied: Type.Optional(
        Type.Union([Type.Literal("overlay"), Type.Literal("reflink"), Type.Literal("copy")]),
      ),
      /** The session has them. */
      committed: Type.Optional(Type.Boolean()),
      /** They and the logs stay on the runner, read-only, until then. */
      frozenUntil: Type.Optional(Timestamp),
    }),
  ),
});
export type TaskResult = Static<typeof TaskResult>;

/** `state` is `accepted` for the first report and for each identical repeat. */
export const ResultAccepted = closed({ state: Type.Literal("accepted"), resultDigest: Digest });
export type ResultAccepted = Static<typeof ResultAccepted>;

/** `POST /runner/task/{leaseId}/reject`: the offer goes back to the queue at once; nothing was started. */
export const Reject = closed({ ...leaseIdentity, reason: Sentence });
export type Reject = Static<typeof Reject>;
