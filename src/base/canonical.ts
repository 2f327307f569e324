import { fail } from "./errors.ts";

/**
 * Canonical JSON by RFC 8785: object keys in UTF-16 order, no white space, numbers as ECMAScript prints them.
 * `undefined` members are left out, as `JSON.stringify` does; non-finite numbers and lone surrogates are refused.
 */
export function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case "string":
      if (!value.isWellFormed()) throw fail("invalid_json", "a string holds a lone surrogate");
      return JSON.stringify(value);
    case "number":
      if (!Number.isFinite(value)) throw fail("invalid_json", "a number is not finite");
      return JSON.stringify(value);
    case "boolean":
      return value ? "true" : "false";
    case "object": {
      if (value === null) return "null";
      if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(",")}]`;
      const object = value as Record<string, unknown>;
      const members: string[] = [];
      for (const key of Object.keys(object).sort()) {
        const member = object[key];
        if (member !== undefined) members.push(`${canonicalJson(key)}:${canonicalJson(member)}`);
      }
      return `{${members.join(",")}}`;
    }
    default:
      throw fail("invalid_json", `a ${typeof value} is not JSON`);
  }
}

/** Lower-case hex SHA-256 of bytes or UTF-8 text. */
export function sha256(data: string | Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(data).digest("hex");
}

/** `sha256:` + hex over the canonical JSON of a value: the form of every digest in the product. */
export function digestOf(value: unknown): string {
  return `sha256:${sha256(canonicalJson(value))}`;
}
