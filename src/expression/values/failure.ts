import type { Json } from "../../base/json.ts";
import { typeName } from "./kind.ts";
import { serialize } from "./serialize.ts";

/**
 * An error that the program itself may catch. Not an `Error`: nobody reads its stack, and taking one would cost more
 * than the rest of a `try`.
 */
export class Raised {
  readonly value: Json;
  constructor(value: Json) {
    this.value = value;
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const SHOWN_BYTES = 29;

/** `kind (value)` as jq's messages show it, the value cut at jq's own length. */
export function describe(value: Json): string {
  const bytes = encoder.encode(serialize(value, 64));
  if (bytes.length < SHOWN_BYTES) return `${typeName(value)} (${decoder.decode(bytes)})`;
  const close = typeof value === "string" ? '"' : Array.isArray(value) ? "]" : "}";
  let end = SHOWN_BYTES - 4;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return `${typeName(value)} (${decoder.decode(bytes.subarray(0, end))}...${close})`;
}

export function raise(message: string): Raised {
  return new Raised(message);
}

/** `kind (value) reason` */
export function raiseFor(value: Json, reason: string): Raised {
  return new Raised(`${describe(value)} ${reason}`);
}

export function raiseForTwo(left: Json, right: Json, reason: string): Raised {
  return new Raised(`${describe(left)} and ${describe(right)} ${reason}`);
}
