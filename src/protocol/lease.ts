import { type Static, Type } from "@sinclair/typebox";
import { AGENT_TOOL_PATTERN } from "./agent-tools.ts";
import {
  Boundary,
  Count,
  closed,
  Digest,
  FIXED_ACTIONS,
  type FixedAction,
  keyed,
  Name,
  Names,
  SandboxMode,
  SandboxProvider,
  Sha256,
  Timestamp,
  TOOL_NAME,
  Token,
  Uuid,
  VARIABLE,
} from "./common.ts";
import { INNER_PATTERN } from "./policy.ts";
import { CommandTemplate } from "./template/schema.ts";

const Argument = Type.String({ maxLength: 131_072 });

/** `run.shell`: one program and its argument vector. No shell reads it; expressions were evaluated by the orchestrator. */
export const ShellTask = closed({
  type: Type.Literal("run.shell"),
  command: Type.String({ minLength: 1, maxLength: 4096 }),
  arguments: Type.Array(Argument, { maxItems: 4096 }),
  environment: keyed(VARIABLE, Argument),
  stdin: Type.Optional(Type.String({ maxLength: 1_048_576 })),
  /** Where in the workspace it runs; without it at the top. */
  directory: Type.Optional(Type.String({ maxLength: 1024, pattern: INNER_PATTERN })),
});
export type ShellTask = Static<typeof ShellTask>;

/**
 * `run.container`: a program in an image that the runner's operator brought, named by its name or `name@sha256:…`.
 * Without a command it is the image's own, with `arguments` in place of the image's default ones.
 */
export const ContainerTask = closed({
  ...ShellTask.properties,
  type: Type.Literal("run.container"),
  image: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}$" }),
  command: Type.Optional(ShellTask.properties.command),
});
export type ContainerTask = Static<typeof ContainerTask>;

/** What a runner that has images offers, and a task that runs one needs. */
export const CONTAINER_CAPABILITY = "container";

/** What a runner with a proven browser offers, and a task with a browser needs. */
export const BROWSER_CAPABILITY = "browser";

/** What the browser of a task may take: `BROWSER_DEFAULTS` where the task says nothing. */
export const BrowserWork = closed({
  pages: Type.Integer({ minimum: 1, maximum: 64 }),
  downloadBytes: Count,
  timeoutMs: Type.Integer({ minimum: 100, maximum: 3_600_000 }),
  width: Type.Integer({ minimum: 1, maximum: 16_384 }),
  height: Type.Integer({ minimum: 1, maximum: 16_384 }),
});
export type BrowserWork = Static<typeof BrowserWork>;

export const Mount = closed({
  source: Type.String({ maxLength: 4096 }),
  target: Type.String({ maxLength: 4096 }),
  readOnly: Type.Boolean(),
});
export type Mount = Static<typeof Mount>;

/** A file of the workspace that the task hands over; `path` is relative, a glob with `*` and `**`. */
export const ArtifactRequest = closed({
  path: Type.String({ minLength: 1, maxLength: 1024 }),
  name: Type.Optional(Name),
  mediaType: Type.Optional(Type.String({ maxLength: 255 })),
});
export type ArtifactRequest = Static<typeof ArtifactRequest>;

const HostList = Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { maxItems: 256 });
/** What an artifact was made from, by digests. */
export const Material = closed({
  uri: Type.String({ minLength: 1, maxLength: 2048 }),
  digest: keyed("^[A-Za-z0-9]{1,32}$", Type.String({ pattern: "^[0-9a-f]{32,128}$" })),
});
export type Material = Static<typeof Material>;

/** A program that offers tools to an agent over its standard streams, in the sandbox of the agent's call. */
export const McpServer = closed({
  name: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$" }),
  command: ShellTask.properties.command,
  arguments: ShellTask.properties.arguments,
  directory: ShellTask.properties.directory,
  environment: ShellTask.properties.environment,
  /** Variables that hold a secret, by the variable of the task's own environment that has it. */
  secrets: keyed(VARIABLE, Name),
  /** The approved command that it was made from. */
  commandTemplateId: Type.Optional(Name),
  commandTemplateDigest: Type.Optional(Digest),
  /** What tools have to be, by name: the digest of `{name, description, inputSchema}` as canonical JSON. */
  pins: keyed(TOOL_NAME, Digest),
  /** Of one call. */
  timeoutMs: Count,
});
export type McpServer = Static<typeof McpServer>;

/**
 * The work of an agent: a conversation with a model of the tenant's host, with tools in the sandbox of the task. Final
 * values only: the runner composes each request from these.
 */
export const AgentWork = closed({
  name: Name,
  version: Type.Optional(Type.String({ maxLength: 128 })),
  digest: Type.Optional(Digest),
  modelProviderScope: Type.Literal("tenant"),
  dataBoundary: Type.Literal("tenant-network"),
  /** As CortexFS of the runner's host routes it; without it that host's default. */
  model: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  instructions: Type.String({ maxLength: 1_048_576 }),
  prompt: Type.String({ maxLength: 1_048_576 }),
  /** Built-in ones by their names, those of MCP servers as `mcp:<server>/<tool>`. */
  allowedTools: Type.Array(Type.String({ pattern: AGENT_TOOL_PATTERN }), { maxItems: 256 }),
  mcpServers: Type.Optional(Type.Array(McpServer, { maxItems: 16 })),
  /** What the tool `run` may run by an approved template, with values that the model gives. */
  templates: Type.Optional(
    Type.Array(closed({ name: Name, digest: Digest, template: CommandTemplate }), { maxItems: 64 }),
  ),
  /** What the tool `run` may run, by name. */
  commands: Type.Array(
    closed({
      name: Name,
      command: ShellTask.properties.command,
      arguments: ShellTask.properties.arguments,
    }),
    { maxItems: 64 },
  ),
  /** A repair: the command that failed has to succeed at last. */
  verify: Type.Optional(
    closed({ command: Name, repairAttempts: Type.Integer({ minimum: 1, maximum: 100 }) }),
  ),
  /** JSON Schema of its answer; without it the answer is text. */
  outputSchema: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  /** Cost in millionths of the provider's currency; it is counted where `prices` say what a million tokens cost. */
  budgets: closed({ turns: Count, tokens: Count, bytes: Count, costMicros: Type.Optional(Count) }),
  prices: Type.Optional(closed({ input: Count, output: Count })),
  /** The session whose files it works on, in a copy; without it an empty workspace. */
  copyOf: Type.Optional(Name),
  /** Paths that its changes must not touch. */
  protectedPaths: Type.Array(Type.String({ maxLength: 1024 }), { maxItems: 512 }),
});
export type AgentWork = Static<typeof AgentWork>;

const leaseBody = {
  leaseId: Uuid,
  tenantId: Name,
  hostId: Name,
  runnerId: Name,
  sessionId: Uuid,
  wfInstanceId: Uuid,
  /** The task within its instance: name for people, reference for machines. */
  taskId: Name,
  taskReference: Type.String({ maxLength: 4096 }),
  taskType: Name,
  runnerPool: Name,
  executionProfile: Name,
  executionProfileVersion: Type.Optional(Count),
  capabilities: Names,
  /** The approved command that the task was made from, and the digest of what was approved. */
  commandTemplateId: Type.Optional(Name),
  commandTemplateDigest: Type.Optional(Digest),
  attempt: Type.Integer({ minimum: 1 }),
  /** Grows with each attempt of a task; an older one is refused everywhere. */
  fencingToken: Type.Integer({ minimum: 1 }),
  /** Used up by the first `started`. */
  nonce: Token,
  issuedAt: Timestamp,
  expiresAt: Timestamp,
  /** Time left when the answer was written: what the runner counts down on its own monotonic clock. */
  remainingMs: Count,
  /** The task's own end; renewals never go past it. */
  deadlineMs: Count,
  renewIntervalMs: Count,
  policyDigest: Digest,
  /** The approvals under which the task may run, for the result to name. */
  approvalRefs: Type.Optional(Type.Array(Uuid, { maxItems: 16 })),
  task: Type.Union([ShellTask, ContainerTask]),
  workspace: closed({
    mode: Type.Union([Type.Literal("ephemeral"), Type.Literal("session")]),
    /** Steps that share a key share a workspace, one at a time. */
    key: Name,
    /** An ephemeral one begins as a copy: of a session's, or of a directory of the host, which is not changed. */
    copyOf: Type.Optional(
      Type.Union([
        closed({ session: Name }),
        closed({ path: Type.String({ minLength: 1, maxLength: 4096 }) }),
      ]),
    ),
    /** The session that takes the files over when the task succeeds, as their only writer. Without it they are discarded. */
    commitTo: Type.Optional(Name),
  }),
  /** What is kept of a task on its runner, and for how long; without it nothing is. */
  freeze: Type.Optional(
    closed({
      when: Type.Union([Type.Literal("always"), Type.Literal("failed")]),
      forMs: Type.Integer({ minimum: 1 }),
    }),
  ),
  mounts: Type.Array(Mount, { maxItems: 64 }),
  sandbox: closed({
    mode: SandboxMode,
    provider: Type.Optional(SandboxProvider),
    /** The providers that policy allows; without it all. */
    providers: Type.Optional(Type.Array(SandboxProvider, { minItems: 1, maxItems: 16 })),
    /** The weakest isolation that will do; without it any. */
    boundary: Type.Optional(Boundary),
  }),
  network: Type.Union([Type.Literal("deny-all"), Type.Literal("allowlisted"), Type.Literal("open")]),
  /** Hosts for `allowlisted`: `api.example.com`, `*.example.com`, `*`. */
  networkHosts: Type.Optional(closed({ allow: HostList, deny: HostList })),
  /** `none`: the task's environment refers to no secret. */
  secretPolicy: Type.Optional(Type.Union([Type.Literal("task-scoped"), Type.Literal("none")])),
  artifacts: Type.Array(ArtifactRequest, { maxItems: 256 }),
  /** Artifacts that the task reads: each lies under its digest in the directory that LIGHTFLOW_INPUTS names. */
  files: Type.Optional(Type.Array(Sha256, { maxItems: 257 })),
  /** The task is the function `run` of this file, one of `files`; the runner's own executable runs it. */
  code: Type.Optional(closed({ source: Sha256 })),
  /** Its function gets the runner's browser. */
  browser: Type.Optional(BrowserWork),
  /**
   * The task is a call into the tenant's network, given as JSON on standard input; its answer is the output. With `program`
   * the server is the task's own command, which the client starts beside itself.
   */
  call: Type.Optional(
    closed({
      kind: Type.Union([Type.Literal("http"), Type.Literal("mcp")]),
      program: Type.Optional(Type.Literal(true)),
    }),
  ),
  /** The task is a fixed action, given its parameters as JSON on standard input. */
  action: Type.Optional(
    closed({
      name: Type.Unsafe<FixedAction>(Type.Union(FIXED_ACTIONS.map((name) => Type.Literal(name)))),
      /** The same for every attempt of the task. */
      idempotencyKey: Digest,
    }),
  ),
  /** The task is an agent's; its command is not looked at. */
  agent: Type.Optional(AgentWork),
  /** The runner signs what the artifacts were made from and under which policy, and hands that over with them. */
  provenance: Type.Optional(closed({ materials: Type.Array(Material, { maxItems: 256 }) })),
  /** `json`: the file named by LIGHTFLOW_OUTPUT must hold one JSON value. `none`: it is not read. */
  output: Type.Union([Type.Literal("json"), Type.Literal("none")]),
  limits: closed({
    logBytes: Count,
    outputBytes: Count,
    artifactBytes: Count,
    artifactCount: Count,
    memoryBytes: Type.Optional(Count),
    processes: Type.Optional(Count),
  }),
};

/** What is signed: the lease without its signature, as canonical JSON. */
export const UnsignedLease = closed(leaseBody);
export type UnsignedLease = Static<typeof UnsignedLease>;

/** The authority to run one attempt of one task. Everything the runner needs, nothing of the definition. */
export const Lease = closed({ ...leaseBody, signature: Type.String({ minLength: 86, maxLength: 86 }) });
export type Lease = Static<typeof Lease>;

/** `POST /runner/claim`: 200 with a lease, or 204 with `Retry-After`. */
export const Claim = closed({
  messageId: Uuid,
  runnerId: Name,
  sessionId: Uuid,
  freeSlots: Type.Integer({ minimum: 1, maximum: 1024 }),
  waitMs: Count,
});
export type Claim = Static<typeof Claim>;

/** The part of a lease that the orchestrator decides: what the queue keeps for each task. */
export type TaskPayload = Pick<
  UnsignedLease,
  | "taskType"
  | "runnerPool"
  | "executionProfile"
  | "executionProfileVersion"
  | "capabilities"
  | "commandTemplateId"
  | "commandTemplateDigest"
  | "deadlineMs"
  | "approvalRefs"
  | "task"
  | "workspace"
  | "freeze"
  | "mounts"
  | "sandbox"
  | "network"
  | "networkHosts"
  | "secretPolicy"
  | "artifacts"
  | "files"
  | "code"
  | "browser"
  | "action"
  | "agent"
  | "call"
  | "provenance"
  | "output"
  | "limits"
>;
