import { Kind, type TSchema } from "@sinclair/typebox";
import { isObject } from "../base/json.ts";
import { joinPointer } from "../base/pointer.ts";
import { scalarProblem } from "./scalar.ts";
import { alternativesOf, asNode, likeliest, type SchemaNode, shapeOf } from "./schema-node.ts";

/** A value of a valid document beside the part of the schema that it matched. */
export interface Place {
  readonly schema: SchemaNode;
  readonly value: unknown;
  readonly pointer: string;
}

/**
 * Every place of a valid value, outermost first. It stops at tasks and task lists, which have scopes of their own and
 * are visited by `walkTasks`, and at maps without expressions.
 */
export function* placesOf(schema: TSchema, value: unknown, pointer: string): Generator<Place> {
  const node = matched(asNode(schema), value);
  const kind = node[Kind];
  if (kind === "Ref") return;
  // A union carries the name ("AuthenticationReference") that its alternatives lack.
  if (node !== schema && schema.$id !== undefined) yield { schema: asNode(schema), value, pointer };
  yield { schema: node, value, pointer };
  if (kind === "Array")
    for (const [index, item] of (value as unknown[]).entries())
      yield* placesOf(node.items!, item, joinPointer(pointer, index));
  if (kind !== "Object" || !isObject(value) || node["x-expression"] === "none") return;
  for (const [key, member] of Object.entries(value)) {
    const at = joinPointer(pointer, key);
    if (Object.hasOwn(node.properties ?? {}, key)) yield* placesOf(node.properties![key]!, member, at);
    else if (typeof node.additionalProperties === "object")
      yield* placesOf(node.additionalProperties, member, at);
    else if (node["x-expression"] !== "named") yield { schema: FREE, value: member, pointer: at };
  }
}

/** What stands in a free map or as an extension attribute. */
const FREE: SchemaNode = asNode({ [Kind]: "Unknown" } as TSchema);

/** The alternative of a union that the value matched. */
function matched(schema: SchemaNode, value: unknown): SchemaNode {
  if (schema[Kind] !== "Union") return schema;
  const shape = Array.isArray(value) ? "array" : isObject(value) ? "object" : "scalar";
  const candidates = alternativesOf(schema).filter(
    (alternative) => shapeOf(alternative) === shape || alternative[Kind] === "Unknown",
  );
  if (shape === "object") return likeliest(candidates, value as Record<string, unknown>);
  if (shape === "array") return candidates[0]!;
  return candidates.find((candidate) => scalarProblem(candidate, value) === undefined) ?? candidates[0]!;
}
