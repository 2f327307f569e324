import { type Static, Type } from "@sinclair/typebox";
import {
  Commands,
  Count,
  closed,
  Digest,
  Name,
  Names,
  SandboxMode,
  SandboxProvider,
  Sentence,
  Timestamp,
  Token,
  Uuid,
} from "./common.ts";

/** `POST /runner/challenge`: the first step of a registration. Costs the server no state. */
export const ChallengeRequest = closed({ messageId: Uuid });
export type ChallengeRequest = Static<typeof ChallengeRequest>;

export const Challenge = closed({ challenge: Token, expiresAt: Timestamp });
export type Challenge = Static<typeof Challenge>;

/**
 * `POST /runner/register`. Its proof is the signature, by the runner's own key, over the canonical JSON of everything
 * else in it, with a fresh challenge inside. The first time, the enrolment token as bearer binds the key to the runner.
 * The server decides what is effective.
 */
export const Registration = closed({
  messageId: Uuid,
  /** Ed25519 (raw, base64url). */
  publicKey: Type.String({ pattern: "^[A-Za-z0-9_-]{43}$" }),
  challenge: Token,
  signature: Type.String({ pattern: "^[A-Za-z0-9_-]{86}$" }),
  runnerId: Name,
  tenantId: Name,
  hostId: Name,
  runnerKind: Name,
  runnerPools: Names,
  executionProfiles: Names,
  capabilities: Names,
  imageDigest: Type.Optional(Digest),
  vmImageId: Type.Optional(Name),
  binaryDigest: Digest,
  /** The Chromium that it tried in its sandbox, and offers. */
  browserExecutable: Type.Optional(Type.String({ maxLength: 4096 })),
  browserDigest: Type.Optional(Digest),
  configHash: Digest,
  commandAllowlistHash: Digest,
  workspacePolicy: Name,
  networkZone: Name,
  secretPolicy: Name,
  modelProviderScopes: Names,
  mounts: Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 256 }),
  sandbox: closed({
    modes: Type.Array(SandboxMode),
    providers: Type.Array(
      closed({ provider: SandboxProvider, template: Name, boundary: Name, features: Names }),
    ),
  }),
  slots: Type.Integer({ minimum: 1, maximum: 1024 }),
  version: Name,
});
export type Registration = Static<typeof Registration>;

export const RegistrationAccepted = closed({
  sessionId: Uuid,
  /** Raised by each registration of the same runner; messages of an older generation are refused. */
  generation: Type.Integer({ minimum: 1 }),
  heartbeatToken: Token,
  claimToken: Token,
  expiresAt: Timestamp,
  /** What was asked for and is approved too. */
  effective: closed({
    runnerPools: Names,
    executionProfiles: Names,
    capabilities: Names,
    sandboxModes: Type.Array(SandboxMode),
    modelProviderScopes: Names,
    slots: Type.Integer({ minimum: 1, maximum: 1024 }),
  }),
  heartbeatIntervalMs: Count,
  /** Ed25519 public key (raw, base64url) that signs every lease of this controller. */
  leaseKey: Type.String(),
});
export type RegistrationAccepted = Static<typeof RegistrationAccepted>;

export const SessionStatus = Type.Union([
  Type.Literal("ready"),
  Type.Literal("busy"),
  Type.Literal("draining"),
  Type.Literal("unhealthy"),
]);

/** `POST /runner/heartbeat`. The list of leases lets the controller see a lost offer or an orphan. */
export const Heartbeat = closed({
  messageId: Uuid,
  runnerId: Name,
  sessionId: Uuid,
  status: SessionStatus,
  configHash: Digest,
  commandAllowlistHash: Digest,
  imageDigest: Type.Optional(Digest),
  binaryDigest: Digest,
  browserDigest: Type.Optional(Digest),
  /** Whether the loop that ends tasks at their deadline still turns, and whether the journal can be written. */
  watchdog: Type.Union([Type.Literal("ok"), Type.Literal("stalled")]),
  journal: Type.Union([Type.Literal("ok"), Type.Literal("failed")]),
  activeLeases: Type.Array(closed({ leaseId: Uuid, attempt: Count, fencingToken: Count, state: Name }), {
    maxItems: 1024,
  }),
  freeSlots: Count,
  cleanupBacklog: Count,
  timestamp: Timestamp,
  /** Hold the answer this long while there is no directive, so that a cancel arrives at once. */
  waitMs: Type.Optional(Count),
});
export type Heartbeat = Static<typeof Heartbeat>;

export const Directive = Type.Union([
  closed({ kind: Type.Literal("cancel"), leaseId: Uuid, fencingToken: Count, reason: Sentence }),
  closed({ kind: Type.Literal("drain"), reason: Sentence }),
  closed({ kind: Type.Literal("audit") }),
]);
export type Directive = Static<typeof Directive>;

/** `expiresAt`: a heartbeat renews both credentials of its session until then. */
export const HeartbeatAnswer = closed({
  serverTime: Timestamp,
  expiresAt: Timestamp,
  directives: Type.Array(Directive),
});
export type HeartbeatAnswer = Static<typeof HeartbeatAnswer>;

/** `POST /runner/audit-snapshot`: what the runner really runs with. */
export const AuditSnapshot = closed({
  messageId: Uuid,
  runnerId: Name,
  sessionId: Uuid,
  commands: Commands,
  sandboxTemplates: Names,
  mounts: Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 256 }),
  networkPolicy: Name,
  secretBindings: Names,
  configHash: Digest,
  commandAllowlistHash: Digest,
  binaryDigest: Digest,
  imageDigest: Type.Optional(Digest),
  browserDigest: Type.Optional(Digest),
});
export type AuditSnapshot = Static<typeof AuditSnapshot>;

export const AuditVerdict = closed({
  verdict: Type.Union([Type.Literal("match"), Type.Literal("mismatch")]),
  fields: Names,
});
export type AuditVerdict = Static<typeof AuditVerdict>;

/** `POST /runner/drain`: no more leases; those that run may end until the deadline. */
export const Drain = closed({
  messageId: Uuid,
  runnerId: Name,
  sessionId: Uuid,
  reason: Sentence,
  deadlineMs: Count,
});
export type Drain = Static<typeof Drain>;

export const Acknowledged = closed({ accepted: Type.Literal(true) });
export type Acknowledged = Static<typeof Acknowledged>;
