import type { Json, JsonObject } from "../../base/json.ts";
import { callError } from "../error.ts";

interface Operator {
  readonly first: string;
  readonly separator: string;
  readonly named: boolean;
  /** What stands behind the name of an empty value. */
  readonly ifEmpty: string;
  readonly reserved: boolean;
}

const operator = (
  first: string,
  separator: string,
  named = false,
  ifEmpty = "",
  reserved = false,
): Operator => ({ first, separator, named, ifEmpty, reserved });

/** RFC 6570, appendix A. */
const OPERATORS: Readonly<Record<string, Operator>> = {
  "": operator("", ","),
  "+": operator("", ",", false, "", true),
  "#": operator("#", ",", false, "", true),
  ".": operator(".", "."),
  "/": operator("/", "/"),
  ";": operator(";", ";", true),
  "?": operator("?", "&", true, "="),
  "&": operator("&", "&", true, "="),
};

/** Brackets in the host of an IPv6 address are not part of RFC 6570's expressions, so only braces matter here. */
const EXPRESSION = /\{([+#./;?&]?)([^{}]*)\}/g;
const VARIABLE = /^((?:[A-Za-z0-9_.]|%[0-9A-Fa-f]{2})+)(?::([1-9]\d{0,3})|(\*))?$/;

/**
 * Expand an RFC 6570 template (all four levels). A variable without a value is left out of a query as the RFC says;
 * anywhere else it is refused, because `DELETE /pets/{id}` must not become `DELETE /pets/`.
 * @throws CallError `configuration`
 */
export function expandUriTemplate(template: string, variables: JsonObject = {}): string {
  return template.replace(EXPRESSION, (_, sign: string, list: string) => {
    const rules = OPERATORS[sign]!;
    const parts: string[] = [];
    for (const text of list.split(",")) {
      const match = VARIABLE.exec(text);
      if (match === null)
        throw callError("configuration", `{${sign}${list}} is not an expression of RFC 6570`);
      const [, name, length, explode] = match;
      const value = Object.hasOwn(variables, name!) ? variables[name!] : undefined;
      const found =
        value === undefined ? undefined : expand(name!, value, rules, Number(length), explode === "*");
      if (found !== undefined) parts.push(found);
      else if (!"?&;".includes(sign) || sign === "")
        throw callError("configuration", `the address has no value for {${name}}`);
    }
    return parts.length === 0 ? "" : rules.first + parts.join(rules.separator);
  });
}

function expand(
  name: string,
  value: Json,
  rules: Operator,
  length: number,
  explode: boolean,
): string | undefined {
  const encode = (item: Json) => encodeValue(scalarText(name, item), rules.reserved);
  const withName = (key: string, text: string) =>
    rules.named ? key + (text === "" ? rules.ifEmpty : `=${text}`) : text;
  if (value === null) return undefined;
  if (typeof value !== "object") {
    const text = scalarText(name, value);
    // The prefix counts characters, not the units of UTF-16.
    const cut = Number.isNaN(length) ? text : [...text].slice(0, length).join("");
    return withName(name, encodeValue(cut, rules.reserved));
  }
  if (!Number.isNaN(length))
    throw callError("configuration", `{${name}} has a prefix, so its value must be a text`);
  if (Array.isArray(value)) {
    const items = value.filter((item) => item !== null).map(encode);
    if (items.length === 0) return undefined;
    if (!explode) return withName(name, items.join(","));
    return items.map((item) => withName(name, item)).join(rules.separator);
  }
  const pairs = Object.entries(value)
    .filter(([, item]) => item !== null)
    .map(([key, item]) => [encodeValue(key, rules.reserved), encode(item)] as const);
  if (pairs.length === 0) return undefined;
  if (!explode) return withName(name, pairs.flat().join(","));
  return pairs
    .map(([key, item]) => (rules.named ? withName(key, item) : `${key}=${item}`))
    .join(rules.separator);
}

function scalarText(name: string, value: Json): string {
  if (typeof value === "object")
    throw callError("configuration", `the value for {${name}} is nested too deep`);
  return String(value);
}

/** RFC 3986 unreserved characters stay; with `reserved` also reserved ones and what is encoded already. */
export function encodeValue(text: string, reserved = false): string {
  const strict = (part: string) =>
    encodeURIComponent(part.toWellFormed()).replace(
      /[!'()*]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  if (!reserved) return strict(text);
  return text.replace(/%[0-9A-Fa-f]{2}|[:/?#[\]@!$&'()*+,;=]|[^%:/?#[\]@!$&'()*+,;=]+|%/g, (part) =>
    /^(?:%..|[:/?#[\]@!$&'()*+,;=])$/.test(part) ? part : strict(part),
  );
}
