import { Kind, type TSchema } from "@sinclair/typebox";
import { isObject } from "../base/json.ts";
import type { Diagnostic, DiagnosticCode } from "./diagnostic.ts";
import { kindOf } from "./kind.ts";
import { nearest } from "./nearest.ts";
import { joinPointer } from "./pointer.ts";
import { CALL_SCHEMAS, type Mode, TASK_DEFINITIONS, TASK_SCHEMAS } from "./schema/index.ts";

/** The parts of a TypeBox schema that this product uses. */
interface Node extends TSchema {
  properties?: Record<string, Node>;
  required?: string[];
  additionalProperties?: boolean | Node;
  minProperties?: number;
  maxProperties?: number;
  items?: Node;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  anyOf?: Node[];
  const?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  $ref?: string;
}

/** A document with many faults is wrong in one way many times: the first ones tell it. */
const MAXIMUM = 100;

/**
 * Why a value does not match: the compiled check only says that it does not. Of a union it explains the one
 * alternative that was meant (by the task's key, the call's name, then the properties present), never all of them.
 */
export function explain(schema: TSchema, value: unknown, mode: Mode, pointer = ""): Diagnostic[] {
  const found: Diagnostic[] = [];
  visit(schema as Node, value, pointer, { mode, found });
  return found;
}

interface Context {
  readonly mode: Mode;
  readonly found: Diagnostic[];
}

function report(
  context: Context,
  code: DiagnosticCode,
  pointer: string,
  message: string,
  hint?: string | undefined,
): void {
  if (context.found.length >= MAXIMUM) return;
  context.found.push({ code, severity: "error", pointer, message, ...(hint === undefined ? {} : { hint }) });
}

function visit(schema: Node, value: unknown, pointer: string, context: Context): void {
  if (context.found.length >= MAXIMUM) return;
  const kind = schema[Kind];
  if (kind === "Ref") reference(schema.$ref!, value, pointer, context);
  else if (kind === "Union") union(schema, value, pointer, context);
  else if (kind === "Object") object(schema, value, pointer, context);
  else if (kind === "Array") array(schema, value, pointer, context);
  else if (kind !== "Unknown") scalar(schema, value, pointer, context);
}

function reference(name: string, value: unknown, pointer: string, context: Context): void {
  if (name === "Task") return task(value, pointer, context);
  visit(TASK_DEFINITIONS[context.mode].TaskList as unknown as Node, value, pointer, context);
}

function task(value: unknown, pointer: string, context: Context): void {
  if (!isObject(value)) return wrongType("a task (an object)", value, pointer, context);
  const { mode } = context;
  const kind = kindOf(value, mode);
  if (kind === undefined) {
    const known = [...Object.keys(TASK_SCHEMAS[mode]), "call"];
    const dialect = kindOf(value, "light");
    const meant = Object.keys(value)
      .map((key) => nearest(key, known))
      .find((name) => name !== undefined);
    const hint =
      dialect !== undefined
        ? `\`${dialect}\` belongs to the dialect: use mode light`
        : meant !== undefined
          ? `did you mean \`${meant}\`?`
          : `one of ${known.join(", ")}`;
    return report(context, "unknown_task_type", pointer, "the task has no known type", hint);
  }
  if (kind !== "call") {
    const schemas: Record<string, TSchema> = TASK_SCHEMAS[mode];
    return visit(schemas[kind] as Node, value, pointer, context);
  }
  if (typeof value["call"] !== "string")
    return wrongType("the name of a call", value["call"], joinPointer(pointer, "call"), context);
  const calls: Record<string, TSchema> = CALL_SCHEMAS[mode];
  const name = value["call"];
  const schema = name !== "function" && Object.hasOwn(calls, name) ? calls[name] : calls["function"];
  visit(schema as Node, value, pointer, context);
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return `the ${typeof value} ${shown(value)}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function wrongType(expected: string, value: unknown, pointer: string, context: Context): void {
  const quote = expected.includes("string") || expected.includes("version");
  const hint =
    quote && (typeof value === "number" || typeof value === "boolean") ? `quote it: "${value}"` : undefined;
  report(context, "wrong_type", pointer, `must be ${expected}, not ${typeOf(value)}`, hint);
}

function object(
  schema: Node,
  value: unknown,
  pointer: string,
  context: Context,
  siblings: Node[] = [],
): void {
  if (!isObject(value)) return wrongType("an object", value, pointer, context);
  const properties = schema.properties ?? {};
  const keys = Object.keys(value);
  for (const name of schema.required ?? [])
    if (!Object.hasOwn(value, name))
      report(
        context,
        "missing_property",
        pointer,
        `\`${name}\` is missing`,
        misspelt(name, keys, properties),
      );
  for (const key of keys) {
    const at = joinPointer(pointer, key);
    if (Object.hasOwn(properties, key)) visit(properties[key]!, value[key], at, context);
    else if (schema.additionalProperties === false) unknown(key, at, schema, siblings, context);
    else if (typeof schema.additionalProperties === "object")
      visit(schema.additionalProperties, value[key], at, context);
  }
  const { minProperties = 0, maxProperties = Number.POSITIVE_INFINITY } = schema;
  if (minProperties === 1 && maxProperties === 1 && keys.length !== 1)
    report(
      context,
      "invalid_value",
      pointer,
      `must have exactly one key, not ${keys.length}`,
      "one name each entry",
    );
  else if (keys.length < minProperties)
    report(context, "invalid_value", pointer, `must have at least ${minProperties} key(s)`);
  else if (keys.length > maxProperties)
    report(context, "invalid_value", pointer, `must have at most ${maxProperties} key(s)`);
}

/** A key of the object that probably was meant to be the missing one. */
function misspelt(missing: string, keys: string[], properties: Record<string, Node>): string | undefined {
  const written = nearest(
    missing,
    keys.filter((key) => !Object.hasOwn(properties, key)),
  );
  return written === undefined ? undefined : `\`${written}\` was written`;
}

function unknown(key: string, pointer: string, schema: Node, siblings: Node[], context: Context): void {
  const known = Object.keys(schema.properties ?? {});
  if (siblings.some((sibling) => Object.hasOwn(sibling.properties ?? {}, key))) {
    const own = known.filter(
      (name) => !siblings.every((sibling) => Object.hasOwn(sibling.properties ?? {}, name)),
    );
    const beside = own.map((name) => `\`${name}\``).join(", ");
    return report(context, "conflicting_property", pointer, `\`${key}\` cannot stand beside ${beside}`);
  }
  const meant = nearest(key, known);
  const hint =
    meant !== undefined
      ? `did you mean \`${meant}\`?`
      : known.length <= 12
        ? `known here: ${known.join(", ")}`
        : undefined;
  report(context, "unknown_property", pointer, `unknown property \`${key}\``, hint);
}

function array(schema: Node, value: unknown, pointer: string, context: Context): void {
  if (!Array.isArray(value)) return wrongType("a list", value, pointer, context);
  if (value.length < (schema.minItems ?? 0))
    report(context, "invalid_value", pointer, `must have at least ${schema.minItems} item(s)`);
  if (value.length > (schema.maxItems ?? Number.POSITIVE_INFINITY))
    report(context, "invalid_value", pointer, `must have at most ${schema.maxItems} item(s)`);
  if (schema.uniqueItems && new Set(value.map((item) => JSON.stringify(item))).size !== value.length)
    report(context, "invalid_value", pointer, "must not repeat an item");
  value.forEach((item, index) => {
    visit(schema.items!, item, joinPointer(pointer, index), context);
  });
}

function scalar(schema: Node, value: unknown, pointer: string, context: Context): void {
  const problem = scalarProblem(schema, value);
  if (problem === undefined) return;
  if (problem.typed) return wrongType(problem.expected, value, pointer, context);
  report(context, "invalid_value", pointer, `must be ${problem.expected}, not ${shown(value)}`);
}

function scalarProblem(schema: Node, value: unknown): { expected: string; typed: boolean } | undefined {
  const wrong = (expected: string, typed = false) => ({ expected, typed });
  switch (schema[Kind]) {
    case "Literal":
      return value === schema.const ? undefined : wrong(JSON.stringify(schema.const));
    case "Boolean":
      return typeof value === "boolean" ? undefined : wrong("true or false", true);
    case "Integer": {
      if (!Number.isInteger(value)) return wrong("a whole number", true);
      const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
      if ((value as number) < minimum) return wrong(`at least ${minimum}`);
      return (value as number) > maximum ? wrong(`at most ${maximum}`) : undefined;
    }
    case "String": {
      if (typeof value !== "string") return wrong(schema.description ?? "a string", true);
      const { minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema;
      if (value.length < minLength)
        return wrong(minLength === 1 ? "not empty" : `${minLength} characters or more`);
      if (value.length > maxLength) return wrong(`at most ${maxLength} characters`);
      if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value))
        return wrong(schema.description ?? `text that matches ${schema.pattern}`);
      return undefined;
    }
    default:
      throw new TypeError(`the schema holds a ${schema[Kind]}, which explain() does not know`);
  }
}

function union(schema: Node, value: unknown, pointer: string, context: Context): void {
  const alternatives = schema.anyOf!.flatMap((alternative) =>
    alternative[Kind] === "Union" ? alternative.anyOf! : [alternative],
  );
  const shape = (alternative: Node): string => {
    if (alternative[Kind] === "Object") return "object";
    if (alternative[Kind] === "Array") return "array";
    return "scalar";
  };
  const own = Array.isArray(value) ? "array" : isObject(value) ? "object" : "scalar";
  const candidates = alternatives.filter((alternative) => shape(alternative) === own);
  if (own === "scalar") {
    const problems = candidates.map((candidate) => scalarProblem(candidate, value));
    if (problems.some((problem) => problem === undefined)) return;
    const words = candidates.every((candidate) => candidate[Kind] === "Literal")
      ? candidates.map((candidate) => String(candidate.const))
      : [];
    const meant = typeof value === "string" ? nearest(value, words) : undefined;
    const expected = [
      ...new Set(problems.map((problem) => problem!.expected)),
      ...(alternatives.some((alternative) => shape(alternative) === "object") ? ["an object"] : []),
      ...(alternatives.some((alternative) => shape(alternative) === "array") ? ["a list"] : []),
    ].join(" or ");
    const typed = problems.every((problem) => problem!.typed);
    if (typed || candidates.length === 0) return wrongType(expected, value, pointer, context);
    const hint = meant === undefined ? undefined : `did you mean ${JSON.stringify(meant)}?`;
    return report(context, "invalid_value", pointer, `must be ${expected}, not ${shown(value)}`, hint);
  }
  if (candidates.length === 0) {
    const expected = alternatives.map((alternative) =>
      shape(alternative) === "scalar" ? (alternative.description ?? "a string") : `an ${shape(alternative)}`,
    );
    return wrongType([...new Set(expected)].join(" or "), value, pointer, context);
  }
  if (own === "array") return visit(candidates[0]!, value, pointer, context);
  const meant = likeliest(candidates, value as Record<string, unknown>);
  object(
    meant,
    value,
    pointer,
    context,
    candidates.filter((candidate) => candidate !== meant),
  );
}

/** The alternative that the object's own keys speak for. */
function likeliest(candidates: Node[], value: Record<string, unknown>): Node {
  let best = candidates[0]!;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const candidate of candidates) {
    const properties = candidate.properties ?? {};
    let score = 0;
    for (const key of Object.keys(value)) score += Object.hasOwn(properties, key) ? 2 : -1;
    for (const key of candidate.required ?? []) score += Object.hasOwn(value, key) ? 3 : -2;
    for (const [key, property] of Object.entries(properties))
      if (Object.hasOwn(value, key) && !couldBe(property, value[key])) score -= 6;
    if (score > bestScore) {
      best = candidate;
      bestScore = score;
    }
  }
  return best;
}

/** Whether a literal property of an alternative has the value that names it. */
function couldBe(property: Node, value: unknown): boolean {
  if (property[Kind] === "Literal") return property.const === value;
  if (property[Kind] === "Union" && property.anyOf!.every((word) => word[Kind] === "Literal"))
    return property.anyOf!.some((word) => word.const === value);
  return true;
}
