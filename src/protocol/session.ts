import { type Static, Type } from "@sinclair/typebox";
import {
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

/** `POST /runner/register`, with the enrolment credential as bearer token. The server decides what is effective. */
export const Registration = closed({
  messageId: Uuid,
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
  effective: closed({ runnerPools: Names, executionProfiles: Names, capabilities: Names }),
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

export const HeartbeatAnswer = closed({ serverTime: Timestamp, directives: Type.Array(Directive) });
export type HeartbeatAnswer = Static<typeof HeartbeatAnswer>;

/** `POST /runner/audit-snapshot`: what the runner really runs with. */
export const AuditSnapshot = closed({
  messageId: Uuid,
  runnerId: Name,
  sessionId: Uuid,
  commands: Names,
  sandboxTemplates: Names,
  mounts: Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 256 }),
  networkPolicy: Name,
  secretBindings: Names,
  configHash: Digest,
  commandAllowlistHash: Digest,
  binaryDigest: Digest,
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
