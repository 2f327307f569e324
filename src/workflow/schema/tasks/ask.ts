import { type Static, Type } from "@sinclair/typebox";
import { anyValue, closed, wordOf } from "../build.ts";
import { Condition, Duration, SchemaDefinition } from "../common.ts";
import { taskBase } from "./base.ts";

const Option = Type.Union([
  Type.String(),
  closed({
    value: anyValue(),
    label: Type.Optional(Type.String()),
    description: Type.Optional(Type.String()),
  }),
]);
export type AskOption = Static<typeof Option>;

export const Ask = closed(
  {
    prompt: Type.String({ minLength: 1 }),
    options: Type.Optional(Type.Array(Option, { minItems: 1 })),
    /** An expression that gives the options. */
    optionsFrom: Type.Optional(Condition),
    /** The answer must match it. */
    schema: Type.Optional(SchemaDefinition),
    assignment: Type.Optional(
      closed({
        assigneeId: Type.Optional(Type.String()),
        roleId: Type.Optional(Type.String()),
        categoryCode: Type.Optional(Type.String()),
        reasonCode: Type.Optional(Type.String()),
      }),
    ),
    default: Type.Optional(anyValue()),
    /** Whether an answer of null is refused. Default true. */
    required: Type.Optional(Type.Boolean()),
    timeout: Type.Optional(Duration),
    /** Default `fail`; `default` answers with `default`. */
    onTimeout: Type.Optional(wordOf("fail", "default")),
    /** The answer is redacted wherever it would be shown. */
    sensitive: Type.Optional(Type.Boolean()),
  },
  { $id: "Ask" },
);
export type Ask = Static<typeof Ask>;

/**
 * Dialect: ask a person. The raw output is the answer: the chosen option's `value` (the text itself for a plain
 * option), or whatever `schema` admits. The task's own `timeout` faults as everywhere; `ask.timeout` is the one that
 * `onTimeout` is about.
 */
export const AskTask = closed({ ask: Ask, ...taskBase }, { $id: "AskTask" });
export type AskTask = Static<typeof AskTask>;
