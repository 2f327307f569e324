import { type Static, Type } from "@sinclair/typebox";
import { Commands, closed, Digest, Name, Names, SandboxMode, SandboxProvider } from "./common.ts";

const Paths = Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 256 });

/**
 * What an operator approves for a runner before it comes. The lists are upper bounds: what a runner asks for beyond
 * them is not effective. A fact that is left out is pinned to what the first registration says of it, and an operator
 * is asked to look at that.
 */
export const Admission = closed({
  tenantId: Name,
  runnerId: Name,
  hostId: Name,
  runnerPools: Names,
  executionProfiles: Names,
  capabilities: Names,
  /** Tasks at once. */
  slots: Type.Integer({ minimum: 1, maximum: 1024 }),
  runnerKind: Type.Optional(Name),
  /** A container image, or a machine image; either way the executable's own digest can be pinned too. */
  imageDigest: Type.Optional(Digest),
  vmImageId: Type.Optional(Name),
  binaryDigest: Type.Optional(Digest),
  /** The Chromium of tasks with a browser: the program and its digest. */
  browserExecutable: Type.Optional(Type.String({ maxLength: 4096 })),
  browserDigest: Type.Optional(Digest),
  configHash: Type.Optional(Digest),
  commandAllowlistHash: Type.Optional(Digest),
  workspacePolicy: Type.Optional(Name),
  networkZone: Type.Optional(Name),
  secretPolicy: Type.Optional(Name),
  modelProviderScopes: Type.Optional(Names),
  mounts: Type.Optional(Paths),
  sandboxModes: Type.Optional(Type.Array(SandboxMode)),
  sandboxProviders: Type.Optional(Type.Array(closed({ provider: SandboxProvider, template: Name }))),
  /** What deep audits compare with. */
  snapshot: Type.Optional(
    closed({
      commands: Commands,
      sandboxTemplates: Names,
      mounts: Paths,
      networkPolicy: Name,
      secretBindings: Names,
    }),
  ),
  /** Live leases of a runner that is quarantined: end them at once, or let them end. */
  onQuarantine: Type.Optional(Type.Union([Type.Literal("fence"), Type.Literal("finish")])),
  /** Time between deep audits. */
  auditIntervalMs: Type.Optional(Type.Integer({ minimum: 1_000, maximum: 86_400_000 })),
});
export type Admission = Static<typeof Admission>;
