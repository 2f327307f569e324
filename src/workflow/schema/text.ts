import { Type } from "@sinclair/typebox";

/** Also over several lines, which a YAML block scalar gives; the specification's pattern stops at a line end. */
export const EXPRESSION_PATTERN = "^\\s*\\$\\{[\\s\\S]+\\}\\s*$";

/** Semantic Versioning 2.0.0. */
export const SEMVER_PATTERN =
  "^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)" +
  "(?:-(?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\\.(?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?" +
  "(?:\\+[0-9a-zA-Z-]+(?:\\.[0-9a-zA-Z-]+)*)?$";

export const SemanticVersion = Type.String({
  pattern: SEMVER_PATTERN,
  description: 'a semantic version such as "1.0.0"',
});

/** RFC 1123 label, upper case allowed as in the specification. */
export const DnsLabel = Type.String({
  pattern: "^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$",
  description: "a DNS label: 1 to 63 letters, digits and inner hyphens",
});

/**
 * An absolute URI, or an RFC 6570 template of one: scheme, `://`, then literals, percent-encoded bytes and
 * `{variables}`.
 */
const CHARACTER = '[^\\x00-\\x20"<>%\\\\^`{|}]';
const BYTE = "%[0-9A-Fa-f]{2}";
const VARIABLE = `(?:[A-Za-z0-9_.]|${BYTE})+(?::[1-9]\\d{0,3}|\\*)?`;
export const Uri = Type.String({
  $id: "Uri",
  pattern: `^[A-Za-z][A-Za-z0-9+.-]*://(?:${CHARACTER}|${BYTE}|\\{[+#./;?&=,!@|]?${VARIABLE}(?:,${VARIABLE})*\\})*$`,
  description: "an absolute URI or URI template such as https://example.com/pets/{petId}",
});

/** RFC 3339 date-time. Days are checked up to 31; {@link ../check.ts} knows the months. */
export const DateTime = Type.String({
  pattern:
    "^\\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])[Tt\\s](?:[01]\\d|2[0-3]):[0-5]\\d:(?:[0-5]\\d|60)(?:\\.\\d+)?(?:[Zz]|[+-](?:[01]\\d|2[0-3]):?[0-5]\\d)$",
  description: "an RFC 3339 time such as 2026-01-31T12:00:00Z",
});

/** RFC 6901. */
export const JsonPointer = Type.String({
  pattern: "^(?:/(?:[^~/]|~[01])*)*$",
  description: "a JSON pointer such as /do/0/step",
});
