import type { Json } from "../../base/json.ts";

const NAMES = ["null", "boolean", "boolean", "number", "string", "array", "object"] as const;

export function kindOf(value: Json): number {
  switch (typeof value) {
    case "number":
      return 3;
    case "string":
      return 4;
    case "boolean":
      return value ? 2 : 1;
    default:
      return value === null ? 0 : Array.isArray(value) ? 5 : 6;
  }
}

export function typeName(value: Json): (typeof NAMES)[number] {
  return NAMES[kindOf(value)]!;
}

export function isTrue(value: Json): boolean {
  return value !== false && value !== null;
}
