import { POLICY_LIMITS, POLICY_ORDERS, POLICY_SETS, type PolicyLayer } from "../protocol/policy.ts";
import { type Covers, coversHost, coversName, coversPath, intersection, overlaps, tidy } from "./cover.ts";

export type PolicyValue = string | number | boolean | readonly string[];

/** How one field of a layer is compared and joined. Absent values never come here: they restrict nothing. */
export interface PolicyField {
  /** `sandboxMode`, `allow.capabilities`, `limits.taskMs`. */
  readonly path: string;
  readonly meet:
    | "stricter word"
    | "smaller number"
    | "both allow"
    | "either demands"
    | "intersection"
    | "union";
  /** The stricter of two, or what both allow. Commutative, associative, idempotent. */
  join(a: PolicyValue, b: PolicyValue): PolicyValue;
  /** What of the first the second does not allow, in words; null when it is as strict or stricter. */
  wider(asked: PolicyValue, bound: PolicyValue): string | null;
  /** What a profile that says nothing gets; undefined: nothing is restricted. */
  readonly strictest: PolicyValue | undefined;
  /** The words from wide to strict, for documentation. */
  readonly order?: readonly string[];
}

function ordered(path: string, order: readonly string[], strictest: PolicyValue | undefined): PolicyField {
  const rank = (value: PolicyValue) => order.indexOf(value as string);
  return {
    path,
    meet: "stricter word",
    order,
    strictest,
    join: (a, b) => (rank(a) >= rank(b) ? a : b),
    wider: (asked, bound) => (rank(asked) < rank(bound) ? `${asked} (${bound} is required)` : null),
  };
}

function flag(path: string, strict: boolean): PolicyField {
  return {
    path,
    meet: strict ? "either demands" : "both allow",
    strictest: strict,
    join: (a, b) => (a === strict ? a : b),
    wider: (asked, bound) => (asked !== strict && bound === strict ? `${asked} (it is ${bound})` : null),
  };
}

function limit(path: string, strictest: number | undefined): PolicyField {
  return {
    path,
    meet: "smaller number",
    strictest,
    join: (a, b) => Math.min(a as number, b as number),
    wider: (asked, bound) =>
      (asked as number) > (bound as number) ? `${asked} (at most ${bound} is allowed)` : null,
  };
}

const list = (value: PolicyValue) => value as readonly string[];

function allowed(path: string, covers: Covers, strictest: readonly string[] | undefined): PolicyField {
  return {
    path,
    meet: "intersection",
    strictest,
    join: (a, b) => intersection(covers, list(a), list(b)),
    wider: (asked, bound) =>
      list(asked).find((each) => !list(bound).some((wide) => covers(wide, each))) ?? null,
  };
}

function added(path: string, covers: Covers, fold = false): PolicyField {
  const normal = (value: PolicyValue) => (fold ? list(value).map((each) => each.toLowerCase()) : list(value));
  return {
    path,
    meet: "union",
    strictest: undefined,
    join: (a, b) => tidy(covers, [...normal(a), ...normal(b)]),
    wider: () => null,
  };
}

/** Patterns that are compared by their parts; all other sets hold names. */
const COVERS: Readonly<Record<string, Covers>> = {
  networkHosts: coversHost,
  mounts: coversPath,
  executables: coversPath,
  artifactPaths: coversPath,
};
export const coversOf = (set: string): Covers => COVERS[set] ?? coversName;

/** Words that a profile must state to be less than the strictest; what a machine gives is left to the runner. */
const SMALLEST: Readonly<Record<string, number | undefined>> = {
  taskMs: 600_000,
  queueMs: 3_600_000,
  approvalTtlMs: 86_400_000,
  cpuMillis: undefined,
  memoryBytes: undefined,
  processes: undefined,
  diskBytes: undefined,
  logBytes: 16 * 1024 * 1024,
  outputBytes: 64 * 1024,
  artifactCount: 16,
  artifactBytes: 64 * 1024 * 1024,
  artifactRetentionMs: undefined,
  logRetentionMs: undefined,
  concurrency: 1,
  repairAttempts: 0,
  modelTokens: 0,
  modelCostMicros: 0,
  frozenMs: 86_400_000,
};

/** Ordered fields that say something about a task and not about what it may do: a profile has no strictest of them. */
const STRICTEST_WORD: Readonly<Record<string, string | undefined>> = {
  workloadTrust: "tenant-authored",
  modelGeneratedBoundary: "micro-vm",
  boundary: "micro-vm",
};

/** Sets that a profile need not state: any function of a node and any kind of runner will do, and any sandbox that is strong enough, and approving is what the role of that name is for. */
const STRICTEST_SET: Readonly<Record<string, readonly string[] | undefined>> = {
  codeDigests: undefined,
  runnerKinds: undefined,
  sandboxProviders: undefined,
  approvers: ["approver"],
};

/** Every field of a layer: the table of docs/10-policy.md. The pools that a profile lists say which runners they have. */
export const POLICY_FIELDS: readonly PolicyField[] = [
  ...Object.entries(POLICY_ORDERS).map(([name, order]) =>
    ordered(name, order, name in STRICTEST_WORD ? STRICTEST_WORD[name] : order.at(-1)),
  ),
  flag("directCommands", false),
  flag("artifactExport", false),
  flag("aiDiagnosisAllowed", false),
  flag("tenantDataToSaas", false),
  flag("approvalRequired", true),
  flag("approvalSeparation", true),
  ...Object.keys(POLICY_SETS).map((name) =>
    allowed(`allow.${name}`, coversOf(name), name in STRICTEST_SET ? STRICTEST_SET[name] : []),
  ),
  ...Object.keys(POLICY_SETS).map((name) => added(`deny.${name}`, coversOf(name))),
  ...POLICY_LIMITS.map((name) => limit(`limits.${name}`, SMALLEST[name])),
  added("protectedPaths", coversPath, true),
  added("requiresHumanApprovalBefore", coversName),
  added("privateHosts", coversHost),
];

const BY_PATH = new Map(POLICY_FIELDS.map((field) => [field.path, field]));

/** What a layer says, field by field, in the order of the layer. */
export function* stated(layer: PolicyLayer): Generator<[PolicyField, PolicyValue]> {
  for (const [name, value] of Object.entries(layer)) {
    if (name !== "allow" && name !== "deny" && name !== "limits")
      yield [BY_PATH.get(name)!, value as PolicyValue];
    else
      for (const [member, inner] of Object.entries(value)) yield [BY_PATH.get(`${name}.${member}`)!, inner];
  }
}

/** The value of a field by its path, or undefined. */
export function getValue(layer: PolicyLayer, path: string): PolicyValue | undefined {
  const [first, second] = path.split(".") as [string, string | undefined];
  const value = (layer as Record<string, unknown>)[first];
  return (second === undefined ? value : (value as Record<string, unknown> | undefined)?.[second]) as
    | PolicyValue
    | undefined;
}

/** Put a value at a field's path; `layer` is one that the caller is building. */
export function setValue(layer: PolicyLayer, path: string, value: PolicyValue): void {
  const [first, second] = path.split(".") as [string, string | undefined];
  const target = layer as Record<string, unknown>;
  if (second === undefined) target[first] = value;
  else {
    target[first] ??= {};
    (target[first] as Record<string, unknown>)[second] = value;
  }
}

/** What of an asked set the denied patterns touch, or null. A wide thing that holds a denied one is touched too. */
export function deniedOf(set: string, asked: readonly string[], denied: readonly string[]): string | null {
  const covers = coversOf(set);
  return asked.find((each) => denied.some((no) => overlaps(covers, no, each))) ?? null;
}
