import { Kind, type TSchema } from "@sinclair/typebox";

/** The parts of a TypeBox schema that the document's schema uses, for code that walks over it. */
export interface SchemaNode extends TSchema {
  properties?: Record<string, SchemaNode>;
  required?: string[];
  additionalProperties?: boolean | SchemaNode;
  minProperties?: number;
  maxProperties?: number;
  items?: SchemaNode;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  anyOf?: SchemaNode[];
  const?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  $ref?: string;
}

export const asNode = (schema: TSchema): SchemaNode => schema;

/** The alternatives of a union, those of a union inside it among them. */
export function alternativesOf(schema: SchemaNode): SchemaNode[] {
  return schema.anyOf!.flatMap((one) => (one[Kind] === "Union" ? alternativesOf(one) : [one]));
}

export function shapeOf(schema: SchemaNode): "object" | "array" | "scalar" {
  if (schema[Kind] === "Object") return "object";
  return schema[Kind] === "Array" ? "array" : "scalar";
}

const has = (schema: SchemaNode, key: string): boolean => Object.hasOwn(schema.properties ?? {}, key);

/** The alternative that an object's own keys speak for: what it has, what it lacks, and the words that name one. */
export function likeliest(candidates: readonly SchemaNode[], value: Record<string, unknown>): SchemaNode {
  let best = candidates[0]!;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const candidate of candidates) {
    let score = 0;
    for (const key of Object.keys(value)) score += has(candidate, key) ? 2 : -1;
    for (const key of candidate.required ?? []) score += Object.hasOwn(value, key) ? 3 : -2;
    for (const [key, property] of Object.entries(candidate.properties ?? {}))
      if (Object.hasOwn(value, key) && !couldBe(property, value[key])) score -= 20;
    if (score > bestScore) {
      best = candidate;
      bestScore = score;
    }
  }
  return best;
}

function couldBe(property: SchemaNode, value: unknown): boolean {
  if (property[Kind] === "Literal") return property.const === value;
  if (property[Kind] !== "Union") return true;
  const words = alternativesOf(property);
  return words.some((word) => word[Kind] !== "Literal" || word.const === value);
}

/** Keys that tell an alternative apart from the others. */
export function ownKeys(schema: SchemaNode, others: readonly SchemaNode[]): string[] {
  return Object.keys(schema.properties ?? {}).filter((key) => !others.every((other) => has(other, key)));
}

/** `kind: tool` and the like: the words that name an alternative. */
export function ownWords(schema: SchemaNode): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, { const: word }]) =>
    word === undefined ? [] : [`${key}: ${word}`],
  );
}
