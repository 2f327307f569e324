import { type Static, type TOptional, type TSchema, Type } from "@sinclair/typebox";
import { BOUNDARIES, closed } from "./common.ts";

/**
 * What one layer of policy says. Every field may be left out, which restricts nothing. The same shape serves the service,
 * the tenant, a workspace, a workflow and a task; a profile is one that is completed with the strictest values.
 * Which of two values is the stricter stands in `src/policy/fields.ts`.
 */

const listOf = (pattern: string, maxLength: number) =>
  Type.Array(Type.String({ minLength: 1, maxLength, pattern }), { maxItems: 256 });

/** A name, or the beginning of names with `*` behind it. */
const NAME_PATTERN = "^(\\*|[A-Za-z0-9_][A-Za-z0-9._@:/-]{0,126}\\*?)$";
/** A host name or address, or `*.` and the domain of many. */
const HOST_PATTERN = "^(\\*|(\\*\\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?)$";
const NO_DOTS = "(?!.*(^|/)\\.\\.?(/|$))(?!.*//)[^\\u0000\\n\\r\\\\]";
/** An absolute path with everything below it. */
export const PATH_PATTERN = `^/$|^/${NO_DOTS}*[^/\\u0000\\n\\r\\\\]$`;
/** A path inside a workspace with everything below it; `.` is the whole of it. */
export const INNER_PATTERN = `^\\.$|^(?!/)${NO_DOTS}*[^/\\u0000\\n\\r\\\\]$`;

const Names = listOf(NAME_PATTERN, 128);
const Hosts = listOf(HOST_PATTERN, 253);
const Paths = listOf(PATH_PATTERN, 4096);
const InnerPaths = listOf(INNER_PATTERN, 1024);

/** One of a few words. */
const words = <const T extends readonly string[]>(values: T) =>
  Type.Unsafe<T[number]>(Type.Union(values.map((value) => Type.Literal(value))));

/** The words of the ordered fields, from the widest to the strictest. */
export const POLICY_ORDERS = {
  sandboxMode: ["none", "workflow-session", "per-agent-call", "per-publish"],
  boundary: BOUNDARIES,
  modelGeneratedBoundary: BOUNDARIES,
  hostExposure: ["read-write", "read-only", "none"],
  network: ["open", "allowlisted", "deny-all"],
  secretPolicy: ["task-scoped", "none"],
  persistence: ["session", "ephemeral"],
  workloadTrust: ["trusted-template", "tenant-authored", "model-generated"],
  provenance: ["unsigned", "signed"],
  /** What becomes of a task's files and logs on its runner: kept always, kept when it failed, removed. */
  afterTask: ["freeze", "freeze-failed", "destroy"],
} as const;

/** What a layer allows, each a list of which the tasks may use a part. */
export const POLICY_SETS = {
  runnerPools: Names,
  runnerKinds: Names,
  executionProfiles: Names,
  capabilities: Names,
  commandTemplates: Names,
  executables: Paths,
  tools: Names,
  actions: Names,
  networkHosts: Hosts,
  networkPolicies: Names,
  trustBundles: Names,
  mounts: Paths,
  images: Names,
  /** SHA-256 of the files of code nodes, as hex: where a layer states them, no other function runs. */
  codeDigests: Names,
  sandboxProviders: Names,
  agentPlacements: Names,
  modelProviderScopes: Names,
  modelProviders: Names,
  dataBoundaries: Names,
  credentialClasses: Names,
  environmentNames: Names,
  artifactPaths: InnerPaths,
  /** Roles whose holders may approve. */
  approvers: Names,
} as const;

const Amount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** Upper bounds: times in milliseconds, sizes in bytes, cost in millionths of a US dollar. */
export const POLICY_LIMITS = [
  "taskMs",
  "queueMs",
  "approvalTtlMs",
  "cpuMillis",
  "memoryBytes",
  "processes",
  "diskBytes",
  "logBytes",
  "outputBytes",
  "artifactCount",
  "artifactBytes",
  "artifactRetentionMs",
  "logRetentionMs",
  "concurrency",
  "repairAttempts",
  "modelTokens",
  "modelCostMicros",
  "frozenMs",
] as const;

const optional = <T extends Record<string, TSchema>>(schemas: T) =>
  Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, Type.Optional(schema)])) as {
    [Name in keyof T]: TOptional<T[Name]>;
  };

const orders = Object.fromEntries(
  Object.entries(POLICY_ORDERS).map(([name, values]) => [name, words(values)]),
) as unknown as {
  [Name in keyof typeof POLICY_ORDERS]: ReturnType<typeof words<(typeof POLICY_ORDERS)[Name]>>;
};
const limits = Object.fromEntries(POLICY_LIMITS.map((name) => [name, Amount])) as Record<
  (typeof POLICY_LIMITS)[number],
  typeof Amount
>;

/** The members of a layer, for schemas that hold more than a layer. */
export const POLICY_MEMBERS = {
  ...optional(orders),
  /** Whether a task may name its program itself; else only command templates run. */
  directCommands: Type.Optional(Type.Boolean()),
  artifactExport: Type.Optional(Type.Boolean()),
  aiDiagnosisAllowed: Type.Optional(Type.Boolean()),
  /** Whether data of the tenant's own network, files and logs may go to the service's model providers. */
  tenantDataToSaas: Type.Optional(Type.Boolean()),
  approvalRequired: Type.Optional(Type.Boolean()),
  /** Whether whoever started the run may not approve what it does. */
  approvalSeparation: Type.Optional(Type.Boolean()),
  allow: Type.Optional(closed(optional(POLICY_SETS))),
  deny: Type.Optional(closed(optional(POLICY_SETS))),
  limits: Type.Optional(closed(optional(limits))),
  protectedPaths: Type.Optional(InnerPaths),
  requiresHumanApprovalBefore: Type.Optional(Names),
  /** Hosts that only the tenant's own network reaches: calls to them go to a runner. */
  privateHosts: Type.Optional(Hosts),
} as const;

export const PolicyLayer = closed(POLICY_MEMBERS);
export type PolicyLayer = Static<typeof PolicyLayer>;
