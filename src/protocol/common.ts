import { type TSchema, Type } from "@sinclair/typebox";

/** The protocol's version, sent as `Lightflow-Protocol` in both directions. Another major is refused. */
export const PROTOCOL_VERSION = "1.0";
export const PROTOCOL_HEADER = "lightflow-protocol";

/** An object that refuses what it does not name. */
export const closed = <T extends Record<string, TSchema>>(properties: T) =>
  Type.Object(properties, { additionalProperties: false });

/** Values by names of one form. Without it a name of another form passes, whatever its value is. */
export const keyed = <T extends TSchema>(pattern: string, value: T, more: { maxProperties?: number } = {}) =>
  Type.Record(Type.String({ pattern }), value, { ...more, additionalProperties: false });

/** The name of an environment variable. */
export const VARIABLE = "^[A-Za-z_][A-Za-z0-9_]*$";
/** A tool as an agent names it. */
export const TOOL_NAME = "^[^\\u0000-\\u001f]{1,128}$";

export const Uuid = Type.String({
  pattern: "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
});
export const Digest = Type.String({ pattern: "^sha256:[0-9a-f]{64}$" });
export const Sha256 = Type.String({ pattern: "^[0-9a-f]{64}$" });
export const Name = Type.String({ minLength: 1, maxLength: 128, pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*$" });
export const Names = Type.Array(Name, { maxItems: 256 });
/** Programs by name or path, and approved templates by digest. */
export const Commands = Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { maxItems: 512 });
export const Timestamp = Type.String({
  pattern: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?Z$",
});
export const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
export const Token = Type.String({ minLength: 1, maxLength: 512 });
export const Sentence = Type.String({ maxLength: 4096 });

/** Who the report is about. Each report on a lease carries all three; the server compares them with what it issued. */
export const leaseIdentity = {
  messageId: Uuid,
  attempt: Type.Integer({ minimum: 1 }),
  fencingToken: Type.Integer({ minimum: 1 }),
};

export const SandboxMode = Type.Union([
  Type.Literal("none"),
  Type.Literal("workflow-session"),
  Type.Literal("per-agent-call"),
  Type.Literal("per-publish"),
]);

/** From the weakest to the strongest. */
export const BOUNDARIES = ["process", "container", "user-namespace", "micro-vm", "remote-sandbox"] as const;
export const Boundary = Type.Unsafe<(typeof BOUNDARIES)[number]>(
  Type.Union(BOUNDARIES.map((name) => Type.Literal(name))),
);

/** Whether what a sandbox proved is at least what is asked for. An unknown boundary is none. */
export const holdsBoundary = (proved: string, asked: string): boolean =>
  (BOUNDARIES as readonly string[]).indexOf(proved) >= (BOUNDARIES as readonly string[]).indexOf(asked);

export const SANDBOX_PROVIDERS = ["process", "bubblewrap", "oci", "kubernetes", "cubesandbox", "vm"] as const;
export type SandboxProvider = (typeof SANDBOX_PROVIDERS)[number];
export const SandboxProvider = Type.Unsafe<SandboxProvider>(
  Type.Union(SANDBOX_PROVIDERS.map((name) => Type.Literal(name))),
);

/**
 * What the runner's own executable does by itself: nothing of the workflow chooses a program. All but `sbom` and
 * `inspect` are behind a person's approval, and each has a sandbox of its own.
 */
export const FIXED_ACTIONS = ["sbom", "publish", "inspect", "sign", "tag", "branch", "pull-request"] as const;
export type FixedAction = (typeof FIXED_ACTIONS)[number];
