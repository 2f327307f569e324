import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { API_FORMATS, PORT_TYPES } from "./types.ts";

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
export const Text = Type.String();
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
  description: Type.Optional(Text),
  required: Type.Optional(Type.Boolean()),
  default: Type.Optional(Type.Any()),
  enum: Type.Optional(Type.Array(Scalar, { minItems: 1 })),
  minimum: Type.Optional(Type.Number()),
  maximum: Type.Optional(Type.Number()),
  pattern: Type.Optional(Words),
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

const common = {
  title: Type.Optional(Words),
  if: Type.Optional(Expression),
  then: Type.Optional(Words),
};

export const StepOptions = closed(common);
export type StepOptions = Static<typeof StepOptions>;

export const ExchangeOptions = closed({
  ...common,
  timeout: Type.Optional(Duration),
  request: Type.Optional(Type.Any()),
});
export type ExchangeOptions = Static<typeof ExchangeOptions>;

export const CommandOptions = closed({
  ...common,
  command: Words,
  arguments: Type.Optional(Type.Array(Text)),
  environment: Type.Optional(
    Type.Record(Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]*$" }), Text, { additionalProperties: false }),
  ),
  stdin: Type.Optional(Text),
  output: Type.Optional(oneOf(["json", "text"])),
  workspace: Type.Optional(oneOf(["session", "ephemeral"])),
  artifacts: Type.Optional(
    Type.Array(closed({ path: Words, name: Type.Optional(Words), mediaType: Type.Optional(Words) })),
  ),
  mounts: Type.Optional(
    Type.Array(
      closed({ source: Words, target: Type.Optional(Words), readOnly: Type.Optional(Type.Boolean()) }),
    ),
  ),
  timeout: Type.Optional(Duration),
  repeatable: Type.Optional(Type.Boolean()),
  pool: Type.Optional(Words),
  capabilities: Type.Optional(Type.Array(Words)),
});
export type CommandOptions = Static<typeof CommandOptions>;

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
