import { type Static, Type } from "@sinclair/typebox";
import { anyValue, closed, mapOf } from "../build.ts";
import { Condition, SchemaDefinition } from "../common.ts";
import { taskBase } from "./base.ts";

const comparators = {
  /** Deep equality. May hold expressions. */
  equals: Type.Optional(anyValue()),
  /** A string in a string, an element in an array, or an object's entries in an object. */
  contains: Type.Optional(anyValue()),
  /** A regular expression somewhere in a string. */
  matches: Type.Optional(Type.String()),
  /** Whether the value is other than null. */
  exists: Type.Optional(Type.Boolean()),
};

const Comparator = closed(comparators, { minProperties: 1 });
export type AssertComparator = Static<typeof Comparator>;

const Comparison = closed({
  /** A literal, an expression, or an object with expressions in it. */
  value: anyValue(),
  ...comparators,
  /** jq path into the value, such as `.a.b[0]` → what must hold there. */
  json: Type.Optional(mapOf(Comparator, { minProperties: 1 })),
  schema: Type.Optional(SchemaDefinition),
  message: Type.Optional(Type.String()),
});
export type AssertComparison = Static<typeof Comparison>;

const Claim = closed({ that: Condition, message: Type.Optional(Type.String()) });
export type AssertClaim = Static<typeof Claim>;

/** The comparators of an {@link AssertComparison}; at least one stands in each, which `checkDocument` enforces. */
export const COMPARATORS = ["equals", "contains", "matches", "exists", "json", "schema"] as const;

export const Assertion = Type.Union([Claim, Comparison], { $id: "Assertion" });
export type Assertion = Static<typeof Assertion>;

/**
 * Dialect: fail with `assertion_failed` unless all hold. One assertion or a list of them, each either
 * `{that: expression}` (must give true) or `{value, comparators…}` (all must hold). The output is the input.
 */
export const AssertTask = closed(
  { assert: Type.Union([Claim, Comparison, Type.Array(Assertion, { minItems: 1 })]), ...taskBase },
  { $id: "AssertTask" },
);
export type AssertTask = Static<typeof AssertTask>;
