import { type Static, Type } from "@sinclair/typebox";
import { FIXED_ACTIONS } from "../../protocol/common.ts";
import { POLICY_MEMBERS } from "../../protocol/policy.ts";
import { anyValue, closed, freeMap, NAMED_EXPRESSIONS, wordOf } from "./build.ts";

const Name = Type.String({
  pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
  description: "a name of letters, digits, '.', '_' and '-'",
});

export const ArtifactDeclaration = closed({
  /** Relative to the task's workspace; `*` and `**` allowed, `..` not. */
  path: Type.String({
    minLength: 1,
    maxLength: 1024,
    pattern: "^(?!/)(?!(?:.*/)?\\.\\.(?:/|$))[^\\u0000\\n\\r\\\\]+$",
    description: "a relative path or glob inside the workspace",
  }),
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
  mediaType: Type.Optional(
    Type.String({ pattern: "^[\\w.+-]+/[\\w.+-]+$", description: "a media type such as application/zip" }),
  ),
});
/** A file (or glob) that the task leaves behind and the product keeps. */
export type ArtifactDeclaration = Static<typeof ArtifactDeclaration>;

export const RunnerRequest = closed({
  runnerPool: Type.Optional(Name),
  executionProfile: Type.Optional(Name),
  capabilities: Type.Optional(Type.Array(Name, { maxItems: 64 })),
  commandTemplateId: Type.Optional(Name),
});
/** What a document asks of a runner. A request: policy decides. */
export type RunnerRequest = Static<typeof RunnerRequest>;

/** Ordered from weak to strong. */
export const SANDBOX_MODES = ["none", "workflow-session", "per-agent-call", "per-publish"] as const;

/** What the document or the task narrows: a layer of policy, with the sandbox mode at its own place. */
export const SecurityRequest = closed({
  sandbox: Type.Optional(closed({ mode: wordOf(...SANDBOX_MODES) })),
  ...POLICY_MEMBERS,
});
export type SecurityRequest = Static<typeof SecurityRequest>;

export const MountRequest = closed({
  /** Absolute path on the runner's host, usually by an expression over the workflow's inputs. */
  source: Type.String({ minLength: 1, maxLength: 4096 }),
  /** Where the task sees it; without it at the same path. */
  target: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  readOnly: Type.Optional(Type.Boolean()),
});
/** A host directory that the task asks to see; policy and the runner's own configuration decide. */
export type MountRequest = Static<typeof MountRequest>;

export const ConcurrencyRequest = closed({
  /** Usually an expression, such as the environment that is deployed to. */
  key: Type.String({ minLength: 1, maxLength: 1024 }),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
});
/** At most `limit` (1 where nothing is said) tasks of a tenant with the same key are queued or run at a time. */
export type ConcurrencyRequest = Static<typeof ConcurrencyRequest>;

export const ApprovalRequest = closed({
  /** What is changed elsewhere, such as the address that is published to; usually by an expression. */
  target: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
  /** The provenance of what is published: `sha256:…`. */
  provenance: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
});
/** What a person agrees to beyond the command itself, where the task needs an approval. */
export type ApprovalRequest = Static<typeof ApprovalRequest>;

export const BrowserRequest = closed({
  /** Pages open at once; 4 unless said. */
  pages: Type.Optional(Type.Integer({ minimum: 1, maximum: 64 })),
  /** Of all files together that pages hand out; 64 MiB unless said. */
  downloadBytes: Type.Optional(Type.Integer({ minimum: 0, maximum: 2_147_483_647 })),
  /** How long one step of a page may take; 30 s unless said. */
  timeoutMs: Type.Optional(Type.Integer({ minimum: 100, maximum: 3_600_000 })),
  /** Of a page, in CSS pixels; 1280 by 720 unless said. */
  width: Type.Optional(Type.Integer({ minimum: 1, maximum: 16_384 })),
  height: Type.Optional(Type.Integer({ minimum: 1, maximum: 16_384 })),
});
/** What the browser of a code task may take. */
export type BrowserRequest = Static<typeof BrowserRequest>;

export const CopyRequest = closed({
  /** `session`, or the absolute path of a directory on the runner's host, which is not changed. */
  copyOnWrite: Type.String({ minLength: 1, maxLength: 4096 }),
  /** The session takes the files over when the task succeeds; else they are discarded. */
  commit: Type.Optional(Type.Boolean()),
});

export const LightWorkflow = closed(
  {
    runner: Type.Optional(RunnerRequest),
    security: Type.Optional(SecurityRequest),
    /** Whether a second attempt may start while the first one's outcome is unknown. */
    repeatable: Type.Optional(Type.Boolean()),
    artifacts: Type.Optional(Type.Array(ArtifactDeclaration, { maxItems: 1024 })),
    /** How the process's stdout becomes the task's output; without it the specification's rule (`text`). */
    output: Type.Optional(wordOf("json", "text")),
    mounts: Type.Optional(Type.Array(MountRequest, { maxItems: 64 })),
    /**
     * `session`: the steps of a run share one workspace; `ephemeral` (the default): a new one for each attempt; or one
     * that begins as a copy.
     */
    workspace: Type.Optional(Type.Union([wordOf("session", "ephemeral"), CopyRequest])),
    network: Type.Optional(wordOf("deny-all", "allowlisted", "open")),
    /** Higher is leased first. */
    priority: Type.Optional(Type.Integer({ minimum: -100, maximum: 100 })),
    /** Artifacts that the task reads: `sha256:…`, or lists of them, usually by expressions. */
    files: Type.Optional(Type.Array(anyValue(), { maxItems: 256 })),
    /** The task is the function `run` of a TypeScript file with this digest. */
    code: Type.Optional(closed({ source: Type.String({ pattern: "^[0-9a-f]{64}$" }) })),
    /** The function gets a browser, of a runner that has an approved one. */
    browser: Type.Optional(BrowserRequest),
    /** The task is one of the product's own actions with these parameters. */
    action: Type.Optional(closed({ name: wordOf(...FIXED_ACTIONS), with: Type.Optional(freeMap()) })),
    /** What the task's artifacts are made from, for their provenance: `[{uri, digest}]`, usually by expressions. */
    materials: Type.Optional(Type.Array(anyValue(), { maxItems: 256 })),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 2_147_483_647 })),
    /** One key, or several that the task holds together. */
    concurrency: Type.Optional(
      Type.Union([ConcurrencyRequest, Type.Array(ConcurrencyRequest, { minItems: 1, maxItems: 16 })]),
    ),
    approval: Type.Optional(ApprovalRequest),
    /** How long the task may wait for a runner before it fails with `execution_queue_timeout`. */
    queueTimeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 2_147_483_647 })),
  },
  { $id: "LightWorkflow" },
);
/**
 * `metadata.lightWorkflow` of a document (defaults for its tasks) or a task. It lives in the specification's free
 * `metadata`, so a document that uses nothing else of ours stays valid for other engines. Checked in both modes: a
 * misspelt sandbox mode that is ignored would be a weaker sandbox.
 */
export type LightWorkflow = Static<typeof LightWorkflow>;

export const Metadata = Type.Object(
  { lightWorkflow: Type.Optional(LightWorkflow) },
  { $id: "Metadata", additionalProperties: true, ...NAMED_EXPRESSIONS },
);
export type Metadata = Static<typeof Metadata>;
