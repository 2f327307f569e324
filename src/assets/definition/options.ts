import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { FIXED_ACTIONS } from "../../protocol/common.ts";
import { AgentArguments } from "../../workflow/index.ts";
import { BrowserRequest } from "../../workflow/schema/light-workflow.ts";
import { API_FORMATS, PORT_TYPES, WIDGETS } from "./types.ts";

const closed = <T extends Record<string, TSchema>>(properties: T) =>
  Type.Object(properties, { additionalProperties: false });
const oneOf = <const T extends readonly string[]>(values: T) =>
  Type.Unsafe<T[number]>(
    Type.String({
      enum: [...values],
      description: `one of ${values.join(", ")}`,
      pattern: `^(${values.join("|").replaceAll(".", "\\.")})$`,
    }),
  );

/**
 * A step's id: a path segment for `/ctx`, a task's name on a runner, and a member of `.steps`. A leading dot is
 * refused with the rest, so `.` and `..` are too.
 */
export const StepId = Type.String({
  pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*$",
  maxLength: 128,
  description: "a step id of at most 128 letters, digits, dots, dashes and underscores",
  examples: ['"draft"', '"step-001"'],
});
const Text = Type.String();
export const Words = Type.String({ minLength: 1 });
export const Anything = Type.Any();
export const SchemaOrPath = Type.Union([
  Type.String({ minLength: 1 }),
  Type.Record(Type.String(), Type.Any()),
]);
export const PortName = Type.String({
  pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
  maxLength: 64,
  description: "a name of at most 64 letters, digits and underscores",
  examples: ['"prompt"'],
});
export const ApiFormat = oneOf(API_FORMATS);

const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]);

export const PortOptions = closed({
  type: oneOf(PORT_TYPES),
  list: Type.Optional(Type.Boolean()),
  description: Type.Optional(Text),
  required: Type.Optional(Type.Boolean()),
  default: Type.Optional(Type.Any()),
  enum: Type.Optional(Type.Array(Scalar, { minItems: 1 })),
  minimum: Type.Optional(Type.Number()),
  maximum: Type.Optional(Type.Number()),
  step: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  pattern: Type.Optional(Words),
  widget: Type.Optional(oneOf(WIDGETS)),
  seed: Type.Optional(Type.Boolean()),
});

/** ISO 8601 durations without years and months, whose length is not fixed. */
const Duration = Type.String({
  pattern: "^P(?=.)(\\d+W|(\\d+D)?(T(?=\\d)(\\d+H)?(\\d+M)?(\\d+(\\.\\d+)?S)?)?)$",
  description: "an ISO 8601 duration",
  examples: ['"PT5M"', '"PT1H30M"'],
});
const Expression = Type.String({
  pattern: "^\\s*\\$\\{[\\s\\S]+\\}\\s*$",
  description: "an expression",
  examples: ['"${ .inputs.name }"'],
});

const Name = Type.String({
  pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
  description: "a name of letters, digits, dots, dashes and underscores",
});

export const RetryOptions = closed({
  attempts: Type.Integer({ minimum: 1, maximum: 100 }),
  delay: Type.Optional(Duration),
  backoff: Type.Optional(oneOf(["constant", "linear", "exponential"])),
});

/** Units of each resource, by its name. */
export const ResourceUse = Type.Record(
  Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]{0,63}$" }),
  Type.Integer({ minimum: 1, maximum: 1024 }),
  { additionalProperties: false },
);

/** Most rounds of a `while`, and most items of a `map` at once. */
const ROUNDS = 10_000;
const AT_ONCE = 256;

/** What every step may say of when it runs. */
const flow = {
  title: Type.Optional(Words),
  if: Type.Optional(Expression),
  then: Type.Optional(Words),
  needs: Type.Optional(Type.Array(StepId, { uniqueItems: true })),
};
/** What a step with an effect may say of how it runs. */
const effort = {
  ...flow,
  timeout: Type.Optional(Duration),
  retry: Type.Optional(RetryOptions),
  map: Type.Optional(
    closed({
      over: Expression,
      concurrency: Type.Optional(Type.Integer({ minimum: 1, maximum: AT_ONCE })),
    }),
  ),
  while: Type.Optional(closed({ that: Expression, limit: Type.Integer({ minimum: 1, maximum: ROUNDS }) })),
  /** Where it fails, the flow goes on; its entry is then `{ output: null, error }`. */
  tolerate: Type.Optional(Type.Boolean()),
  resources: Type.Optional(ResourceUse),
  priority: Type.Optional(Type.Integer({ minimum: -100, maximum: 100 })),
  impure: Type.Optional(Type.Boolean()),
};

export const StepOptions = closed(flow);
export type StepOptions = Static<typeof StepOptions>;

export const EffortOptions = closed(effort);
export type EffortOptions = Static<typeof EffortOptions>;

export const ExchangeOptions = closed({ ...effort, request: Type.Optional(Type.Any()) });
export type ExchangeOptions = Static<typeof ExchangeOptions>;

/** A step that uses a node or a composition. */
export const UseOptions = closed({
  ...effort,
  inputs: Type.Optional(Type.Record(Type.String(), Type.Any())),
});
export type UseOptions = Static<typeof UseOptions>;

const http = {
  method: oneOf(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
  endpoint: Words,
  headers: Type.Optional(Type.Record(Type.String(), Text)),
  query: Type.Optional(Type.Record(Type.String(), Type.Any())),
  body: Type.Optional(Type.Any()),
  output: Type.Optional(oneOf(["content", "raw", "response"])),
  repeatable: Type.Optional(Type.Boolean()),
};
export const HttpOptions = closed({ ...effort, ...http });
export type HttpOptions = Static<typeof HttpOptions>;
/** The same as a node's behaviour, whose steps say the rest. */
export const HttpBehaviour = closed(http);
export type HttpBehaviour = Static<typeof HttpBehaviour>;

export const CodeBehaviour = closed({
  network: Type.Optional(
    Type.Union([
      Type.Boolean(),
      Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { minItems: 1, maxItems: 256 }),
    ]),
  ),
  browser: Type.Optional(Type.Union([Type.Boolean(), BrowserRequest])),
  pool: Type.Optional(Name),
  capabilities: Type.Optional(Type.Array(Name)),
});
export type CodeBehaviour = Static<typeof CodeBehaviour>;

export const ExchangeBehaviour = closed({ request: Type.Optional(Type.Any()) });
export type ExchangeBehaviour = Static<typeof ExchangeBehaviour>;

export const ResourceOptions = closed({
  capacity: Type.Integer({ minimum: 1, maximum: 1024 }),
  pool: Type.Optional(Name),
});
export const ResourceName = Type.String({
  pattern: "^[A-Za-z_][A-Za-z0-9_]{0,63}$",
  description: "a name of at most 64 letters, digits and underscores",
  examples: ['"gpu"'],
});

export const Profile = Type.String({
  pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
  description: "the name of an execution profile",
  examples: ['"release"'],
});
export const Priority = Type.Integer({
  minimum: -100,
  maximum: 100,
  description: "a whole number from -100 to 100",
});
export const Concurrency = Type.Integer({
  minimum: 1,
  maximum: 1024,
  description: "a whole number from 1 to 1024",
});
export const DurationText = Duration;

export const ScheduleOptions = Type.Union([
  closed({ every: Type.Union([Duration, Type.Record(Type.String(), Type.Integer({ minimum: 0 }))]) }),
  closed({ cron: Words }),
  closed({ after: Type.Union([Duration, Type.Record(Type.String(), Type.Integer({ minimum: 0 }))]) }),
  closed({ on: Type.Record(Type.String(), Type.Any()) }),
]);

export const Candidate = closed({
  model: Words,
  provider: Type.Optional(Words),
  format: Type.Optional(oneOf(API_FORMATS)),
});

export const ModelFileOptions = closed({
  name: Type.String({
    pattern: "^(?!.*(?:^|/)\\.{1,2}(?:/|$))[A-Za-z0-9][A-Za-z0-9._/-]{0,255}$",
    description: "a relative file name without ..",
    examples: ['"weights.safetensors"'],
  }),
  from: Words,
  sha256: Type.String({ pattern: "^[0-9a-f]{64}$", description: "64 lower-case hex digits" }),
  size: Type.Optional(Type.Integer({ minimum: 0 })),
});

const command = {
  command: Words,
  arguments: Type.Optional(Type.Array(Text)),
  environment: Type.Optional(
    Type.Record(Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]*$" }), Text, { additionalProperties: false }),
  ),
  stdin: Type.Optional(Text),
  output: Type.Optional(oneOf(["json", "text"])),
  workspace: Type.Optional(
    Type.Union([
      oneOf(["session", "ephemeral"]),
      closed({ copyOnWrite: Words, commit: Type.Optional(Type.Boolean()) }),
    ]),
  ),
  artifacts: Type.Optional(
    Type.Array(closed({ path: Words, name: Type.Optional(Words), mediaType: Type.Optional(Words) })),
  ),
  mounts: Type.Optional(
    Type.Array(
      closed({ source: Words, target: Type.Optional(Words), readOnly: Type.Optional(Type.Boolean()) }),
    ),
  ),
  files: Type.Optional(Type.Array(Text)),
  repeatable: Type.Optional(Type.Boolean()),
  pool: Type.Optional(Words),
  capabilities: Type.Optional(Type.Array(Words)),
};
const Sandbox = oneOf(["workflow-session", "per-agent-call", "per-publish"]);
const attested = {
  /** What the artifacts are made from: `[{ uri, digest }]`, usually by expressions. The provenance says so, signed. */
  provenance: Type.Optional(closed({ materials: Type.Optional(Type.Array(Type.Any())) })),
  sandbox: Type.Optional(Sandbox),
  /** What it runs was written by a model, such as a patch that is tried. */
  modelGenerated: Type.Optional(Type.Boolean()),
  network: Type.Optional(Type.Boolean()),
};
export const CommandOptions = closed({ ...effort, ...command, ...attested });
export type CommandOptions = Static<typeof CommandOptions>;
/** The same as a node's behaviour. */
export const CommandBehaviour = closed({ ...command, ...attested });

const { command: _command, arguments: _arguments, stdin: _stdin, output: _output, ...around } = command;
/** One of the product's own actions. */
export const ActionOptions = closed({
  ...effort,
  ...around,
  action: oneOf(FIXED_ACTIONS),
  with: Type.Optional(Type.Record(Type.String(), Type.Any())),
});
export type ActionOptions = Static<typeof ActionOptions>;
export type CommandBehaviour = Static<typeof CommandBehaviour>;

const { outputSchema: _schema, endpoint: _endpoint, ...agent } = AgentArguments.properties;
/** The call of a published agent; where it runs is policy's decision. */
export const AgentOptions = closed({
  ...effort,
  ...agent,
  outputSchema: Type.Optional(Type.Record(Type.String(), Type.Any())),
  endpoint: Type.Optional(Words),
  workspace: Type.Optional(oneOf(["session", "ephemeral"])),
  pool: Type.Optional(Name),
  capabilities: Type.Optional(Type.Array(Name)),
});
export type AgentOptions = Static<typeof AgentOptions>;

const AskOption = Type.Union([
  Words,
  closed({ value: Type.Any(), label: Type.Optional(Text), description: Type.Optional(Text) }),
]);
/** A question to a person, with a place in the inbox. */
export const AskOptions = closed({
  ...flow,
  prompt: Words,
  options: Type.Optional(
    Type.Union([Expression, Type.Array(AskOption, { minItems: 1 })], {
      description: "a list of options that is not empty, or an expression that gives one",
    }),
  ),
  schema: Type.Optional(Type.Record(Type.String(), Type.Any())),
  role: Type.Optional(Words),
  required: Type.Optional(Type.Boolean()),
  timeout: Type.Optional(Duration),
  default: Type.Optional(Type.Any()),
});
export type AskOptions = Static<typeof AskOptions>;

export const AssertOptions = closed({ that: Expression, message: Words });
export type AssertOptions = Static<typeof AssertOptions>;

export const SwitchCases = Type.Array(closed({ when: Type.Optional(Expression), then: Words }), {
  minItems: 1,
});
export type SwitchCases = Static<typeof SwitchCases>;

export const FailOptions = closed({
  title: Words,
  detail: Text,
  status: Type.Optional(Type.Integer({ minimum: 400, maximum: 599 })),
});
export type FailOptions = Static<typeof FailOptions>;
