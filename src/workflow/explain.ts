import { Kind, type TSchema } from "@sinclair/typebox";
import { isObject } from "../base/json.ts";
import { nearest } from "../base/nearest.ts";
import { joinPointer } from "../base/pointer.ts";
import type { Diagnostic, DiagnosticCode } from "./diagnostic.ts";
import { kindOf } from "./kind.ts";
import { scalarProblem, shown, typeName } from "./scalar.ts";
import { CALL_SCHEMAS, type Mode, TASK_DEFINITIONS, TASK_SCHEMAS } from "./schema/index.ts";
import {
  alternativesOf,
  asNode,
  likeliest,
  ownKeys,
  ownWords,
  type SchemaNode,
  shapeOf,
} from "./schema-node.ts";

/** A document with many faults is wrong in one way many times: the first ones tell it. */
const MAXIMUM = 100;

/**
 * Why a value does not match: the check itself only says that it does not. Of a union it explains the one
 * alternative that was meant (by the task's key, the call's name, then the properties present), never all of them.
 */
export function explain(schema: TSchema, value: unknown, mode: Mode, pointer = ""): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const diagnostic of visit(asNode(schema), value, pointer, mode)) {
    found.push(diagnostic);
    if (found.length === MAXIMUM) break;
  }
  return found;
}

type Found = Generator<Diagnostic, void>;

function fault(code: DiagnosticCode, pointer: string, message: string, hint?: string): Diagnostic {
  return { code, severity: "error", pointer, message, ...(hint === undefined ? {} : { hint }) };
}

function wrongType(expected: string, value: unknown, pointer: string): Diagnostic {
  const unquoted = typeof value === "number" || typeof value === "boolean";
  const hint = unquoted && /string|version|text/.test(expected) ? `quote it: "${value}"` : undefined;
  return fault("wrong_type", pointer, `must be ${expected}, not ${typeName(value)}`, hint);
}

function* visit(schema: SchemaNode, value: unknown, pointer: string, mode: Mode): Found {
  const kind = schema[Kind];
  if (kind === "Ref" && schema.$ref === "Task") yield* task(value, pointer, mode);
  else if (kind === "Ref") yield* visit(asNode(TASK_DEFINITIONS[mode].TaskList), value, pointer, mode);
  else if (kind === "Union") yield* union(schema, value, pointer, mode);
  else if (kind === "Object") yield* object(schema, value, pointer, mode, []);
  else if (kind === "Array") yield* array(schema, value, pointer, mode);
  else if (kind !== "Unknown") yield* scalar([schema], value, pointer, []);
}

function* task(value: unknown, pointer: string, mode: Mode): Found {
  const kind = kindOf(value, mode);
  if (!isObject(value)) yield wrongType("a task (an object)", value, pointer);
  else if (kind === undefined) yield unknownTask(value, pointer, mode);
  else if (kind !== "call") {
    const schemas: Record<string, TSchema> = TASK_SCHEMAS[mode];
    yield* visit(asNode(schemas[kind]!), value, pointer, mode);
  } else {
    const calls: Record<string, TSchema> = CALL_SCHEMAS[mode];
    const name = value["call"];
    const own = typeof name === "string" && name !== "function" && Object.hasOwn(calls, name);
    yield* visit(asNode(calls[own ? name : "function"]!), value, pointer, mode);
  }
}

function unknownTask(value: Record<string, unknown>, pointer: string, mode: Mode): Diagnostic {
  const known = [...Object.keys(TASK_SCHEMAS[mode]), "call"];
  const dialect = kindOf(value, "light");
  let hint = `one of ${known.join(", ")}`;
  if (dialect !== undefined) hint = `\`${dialect}\` belongs to the dialect: use mode light`;
  else
    for (const key of Object.keys(value)) {
      const meant = nearest(key, known);
      if (meant !== undefined) hint = `did you mean \`${meant}\`?`;
    }
  return fault("unknown_task_type", pointer, "the task has no known type", hint);
}

function* object(
  schema: SchemaNode,
  value: unknown,
  pointer: string,
  mode: Mode,
  siblings: SchemaNode[],
): Found {
  if (!isObject(value)) {
    yield wrongType("an object", value, pointer);
    return;
  }
  const { properties = {}, additionalProperties } = schema;
  const keys = Object.keys(value);
  const strangers = keys.filter((key) => !Object.hasOwn(properties, key));
  for (const name of schema.required ?? [])
    if (!Object.hasOwn(value, name)) {
      const written = nearest(name, strangers);
      const hint = written === undefined ? undefined : `\`${written}\` was written`;
      yield fault("missing_property", pointer, `\`${name}\` is missing`, hint);
    }
  for (const key of keys) {
    const at = joinPointer(pointer, key);
    if (Object.hasOwn(properties, key)) yield* visit(properties[key]!, value[key], at, mode);
    else if (additionalProperties === false) yield stranger(key, at, schema, siblings);
    else if (typeof additionalProperties === "object")
      yield* visit(additionalProperties, value[key], at, mode);
  }
  const { minProperties = 0, maxProperties = Number.POSITIVE_INFINITY } = schema;
  if (keys.length >= minProperties && keys.length <= maxProperties) return;
  const bounds = maxProperties === 1 ? "exactly one key" : `at least ${minProperties} key`;
  yield fault("invalid_value", pointer, `must have ${bounds}, not ${keys.length}`);
}

function stranger(key: string, pointer: string, schema: SchemaNode, siblings: SchemaNode[]): Diagnostic {
  const home = siblings.find((sibling) => Object.hasOwn(sibling.properties ?? {}, key));
  if (home !== undefined) {
    const own = ownKeys(schema, siblings);
    const words = own.length > 0 ? own : ownWords(home);
    const relation = own.length > 0 ? "cannot stand beside" : "stands only beside";
    const beside = words.map((word) => `\`${word}\``).join(", ");
    return fault("conflicting_property", pointer, `\`${key}\` ${relation} ${beside}`);
  }
  const known = Object.keys(schema.properties ?? {});
  const meant = nearest(key, known);
  const hint = meant === undefined ? `known here: ${known.join(", ")}` : `did you mean \`${meant}\`?`;
  return fault("unknown_property", pointer, `unknown property \`${key}\``, hint);
}

function* array(schema: SchemaNode, value: unknown, pointer: string, mode: Mode): Found {
  if (!Array.isArray(value)) {
    yield wrongType("a list", value, pointer);
    return;
  }
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema;
  if (value.length < minItems) yield fault("invalid_value", pointer, `must have at least ${minItems} item`);
  if (value.length > maxItems) yield fault("invalid_value", pointer, `must have at most ${maxItems} items`);
  if (schema.uniqueItems && new Set(value.map((item) => JSON.stringify(item))).size !== value.length)
    yield fault("invalid_value", pointer, "must not repeat an item");
  for (const [index, item] of value.entries())
    yield* visit(schema.items!, item, joinPointer(pointer, index), mode);
}

/** `others` are further shapes that the place takes, in words. */
function* scalar(candidates: SchemaNode[], value: unknown, pointer: string, others: string[]): Found {
  const problems = candidates.map((candidate) => scalarProblem(candidate, value));
  if (problems.includes(undefined)) return;
  const expected = [...new Set([...problems.map((problem) => problem!.expected), ...others])].join(" or ");
  if (problems.every((problem) => problem!.typed)) {
    yield wrongType(expected, value, pointer);
    return;
  }
  const words = candidates.flatMap(({ const: word }) => (word === undefined ? [] : [word]));
  const meant = typeof value === "string" ? nearest(value, words) : undefined;
  const hint = meant === undefined ? undefined : `did you mean ${JSON.stringify(meant)}?`;
  yield fault("invalid_value", pointer, `must be ${expected}, not ${shown(value)}`, hint);
}

const SHAPE_WORDS = { object: "an object", array: "a list" };

function* union(schema: SchemaNode, value: unknown, pointer: string, mode: Mode): Found {
  const alternatives = alternativesOf(schema);
  const shape = Array.isArray(value) ? "array" : isObject(value) ? "object" : "scalar";
  const candidates = alternatives.filter((alternative) => shapeOf(alternative) === shape);
  const others = alternatives.flatMap((alternative) => {
    const other = shapeOf(alternative);
    if (other === shape) return [];
    return other === "scalar" ? [alternative.description ?? "a string"] : [SHAPE_WORDS[other]];
  });
  if (candidates.length === 0) yield wrongType([...new Set(others)].join(" or "), value, pointer);
  else if (shape === "scalar") yield* scalar(candidates, value, pointer, others);
  else if (shape === "array") yield* visit(candidates[0]!, value, pointer, mode);
  else {
    const meant = likeliest(candidates, value as Record<string, unknown>);
    const siblings = candidates.filter((candidate) => candidate !== meant);
    yield* object(meant, value, pointer, mode, siblings);
  }
}
