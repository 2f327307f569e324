import type { TSchema } from "@sinclair/typebox";
import { Errors, type ValueError, ValueErrorType } from "@sinclair/typebox/errors";
import { nearest } from "./nearest.ts";
import { pointerTokens } from "./pointer.ts";

/** Where a value does not fit its schema, and why, in words that follow the place's name. */
export interface Misfit {
  /** The keys that lead to the place; none when it is the value itself. */
  readonly keys: readonly string[];
  /** Such as `is missing`, `unknown field; did you mean limit?`, `must be one of a, b`. Never holds the value. */
  readonly reason: string;
  /** What the schema says of that place, and what stands there. */
  readonly schema: TSchema;
  readonly value: unknown;
}

/** The first place at which a value does not fit, or undefined. */
export function misfit(schema: TSchema, value: unknown): Misfit | undefined {
  const first = Errors(schema, value).First();
  if (first === undefined) return undefined;
  const error = insideUnion(first);
  return {
    keys: pointerTokens(error.path),
    reason: reasonOf(error, schema),
    schema: error.schema,
    value: error.value,
  };
}

/** Of a value that fits no form of a union, the error of the form that it means: no literal differs, and it fails deepest. */
function insideUnion(error: ValueError): ValueError {
  if (error.type !== ValueErrorType.Union || literalsOf(error.schema) !== null) return error;
  let deepest = error;
  for (const form of error.errors) {
    const errors = [...form];
    if (errors[0] === undefined || errors.some(({ type }) => type === ValueErrorType.Literal)) continue;
    const inner = insideUnion(errors[0]);
    if (pointerTokens(inner.path).length > pointerTokens(deepest.path).length) deepest = inner;
  }
  return deepest;
}

/** The values of a schema that is a choice of literals. */
function literalsOf(schema: TSchema): string[] | null {
  const forms: TSchema[] | undefined = schema["anyOf"];
  const values: unknown[] =
    forms === undefined ? (schema["enum"] ?? []) : forms.map(({ const: value }) => value);
  return values.length > 0 && values.every((value) => ["string", "number", "boolean"].includes(typeof value))
    ? values.map(String)
    : null;
}

const TYPES: Readonly<Partial<Record<ValueErrorType, string>>> = {
  [ValueErrorType.String]: "a text",
  [ValueErrorType.Number]: "a number",
  [ValueErrorType.Integer]: "a whole number",
  [ValueErrorType.Boolean]: "true or false",
  [ValueErrorType.Null]: "null",
  [ValueErrorType.Object]: "an object",
  [ValueErrorType.Array]: "a list",
};

function reasonOf(error: ValueError, whole: TSchema): string {
  const { schema, type } = error;
  if (type === ValueErrorType.ObjectRequiredProperty) return "is missing";
  if (type === ValueErrorType.ObjectAdditionalProperties) {
    const keys = pointerTokens(error.path);
    const best = nearest(keys.at(-1)!, knownBeside(whole, keys));
    return best === undefined ? "unknown field" : `unknown field; did you mean ${best}?`;
  }
  const literals = literalsOf(schema);
  if (literals !== null) return `must be one of ${literals.join(", ")}`;
  const kind = TYPES[type];
  if (typeof schema.description === "string") return `must be ${schema.description}`;
  if (kind !== undefined) return `must be ${kind}`;
  switch (type) {
    case ValueErrorType.Literal:
      return `must be ${JSON.stringify(schema["const"])}`;
    case ValueErrorType.StringMinLength:
      return schema["minLength"] === 1
        ? "must not be empty"
        : `has fewer than ${schema["minLength"]} characters`;
    case ValueErrorType.StringMaxLength:
      return `has more than ${schema["maxLength"]} characters`;
    case ValueErrorType.StringPattern:
      return `must match ${schema["pattern"]}`;
    case ValueErrorType.IntegerMinimum:
    case ValueErrorType.NumberMinimum:
      return `must be at least ${schema["minimum"]}`;
    case ValueErrorType.IntegerMaximum:
    case ValueErrorType.NumberMaximum:
      return `must be at most ${schema["maximum"]}`;
    case ValueErrorType.ArrayMinItems:
      return `has fewer than ${schema["minItems"]} members`;
    case ValueErrorType.ArrayMaxItems:
      return `has more than ${schema["maxItems"]} members`;
    case ValueErrorType.ArrayUniqueItems:
      return "names a member twice";
    case ValueErrorType.ObjectMinProperties:
      return `has fewer than ${schema["minProperties"]} members`;
    case ValueErrorType.ObjectMaxProperties:
      return `has more than ${schema["maxProperties"]} members`;
    case ValueErrorType.Union:
      return "has none of the forms that it may have";
    default:
      return error.message.charAt(0).toLowerCase() + error.message.slice(1);
  }
}

/** The keys that could stand where the last of `keys` does. */
export function knownBeside(whole: TSchema, keys: readonly string[]): string[] {
  let at: TSchema[] = [whole];
  for (const key of keys.slice(0, -1)) at = at.flatMap(formsOf).flatMap((schema) => memberOf(schema, key));
  return at.flatMap(formsOf).flatMap((schema) => Object.keys(schema["properties"] ?? {}));
}

const formsOf = (schema: TSchema): TSchema[] =>
  (schema["anyOf"] ?? schema["allOf"])?.flatMap(formsOf) ?? [schema];

function memberOf(schema: TSchema, key: string): TSchema[] {
  const own: TSchema | undefined = schema["properties"]?.[key] ?? schema["items"];
  if (own !== undefined) return [own];
  return Object.values((schema["patternProperties"] as Record<string, TSchema> | undefined) ?? {});
}
