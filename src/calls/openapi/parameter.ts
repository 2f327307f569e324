import type { Json, JsonObject } from "../../base/json.ts";
import { isObject } from "../../base/json.ts";
import { callError } from "../error.ts";
import { encodeValue } from "../http/uri-template.ts";
import { dereference } from "../resource/reference.ts";

export type ParameterPlace = "path" | "query" | "header" | "cookie";

/** How one parameter is written, in the words of OpenAPI 3. */
export interface ParameterRule {
  readonly name: string;
  readonly place: ParameterPlace;
  readonly required: boolean;
  readonly style: string;
  readonly explode: boolean;
  readonly allowReserved: boolean;
  /** The value is one JSON text (`content` in place of `schema`). */
  readonly isJson: boolean;
  readonly type: string | undefined;
}

const DEFAULT_STYLES: Readonly<Record<ParameterPlace, string>> = {
  path: "simple",
  query: "form",
  header: "simple",
  cookie: "form",
};

/** `collectionFormat` of OpenAPI 2.0 in the words of 3.0. */
const COLLECTIONS: Readonly<Record<string, readonly [string, boolean]>> = {
  csv: ["csv", false],
  ssv: ["spaceDelimited", false],
  tsv: ["tabDelimited", false],
  pipes: ["pipeDelimited", false],
  multi: ["form", true],
};

export function parameterRule(root: JsonObject, parameter: JsonObject, isV2: boolean): ParameterRule {
  const { name, in: place } = parameter;
  if (typeof name !== "string" || typeof place !== "string" || !(place in DEFAULT_STYLES))
    throw callError("configuration", "the operation has a parameter without a name or a known place");
  const common = { name, place: place as ParameterPlace, required: parameter["required"] === true };
  const fallback = DEFAULT_STYLES[common.place];
  if (isV2) {
    const [style, explode] = COLLECTIONS[String(parameter["collectionFormat"] ?? "csv")] ?? ["csv", false];
    const known = style === "csv" ? fallback : style;
    return { ...common, style: known, explode, allowReserved: false, isJson: false, type: typeOf(parameter) };
  }
  const style = typeof parameter["style"] === "string" ? parameter["style"] : fallback;
  return {
    ...common,
    style,
    explode: typeof parameter["explode"] === "boolean" ? parameter["explode"] : style === "form",
    allowReserved: parameter["allowReserved"] === true,
    isJson: isObject(parameter["content"]),
    type: typeOf(dereference(root, parameter["schema"])),
  };
}

function typeOf(schema: JsonObject | undefined): string | undefined {
  return typeof schema?.["type"] === "string" ? schema["type"] : undefined;
}

/** What a parameter adds: pairs of a query or a cookie, text of a path or a header. Texts are encoded for their place. */
export function writeParameter(
  rule: ParameterRule,
  value: Json,
): { pairs: [string, string][]; text: string } {
  const encode = (item: Json): string => {
    const text = typeof item === "object" && item !== null ? JSON.stringify(item) : String(item ?? "");
    return rule.place === "header" ? text : encodeValue(text, rule.allowReserved);
  };
  const name = rule.place === "query" ? encodeValue(rule.name) : rule.name;
  const single = (text: string) => ({
    pairs: [[name, text]] as [string, string][],
    text: prefixed(rule, name, text),
  });
  if (rule.isJson) return single(encode(JSON.stringify(value)));
  if (typeof value !== "object" || value === null) return single(encode(value));

  const separator = SEPARATORS[rule.style] ?? ",";
  if (Array.isArray(value)) {
    const items = value.map(encode);
    if (rule.explode && (rule.place === "query" || rule.place === "cookie"))
      return { pairs: items.map((item) => [name, item]), text: "" };
    const glue = rule.explode ? (EXPLODED[rule.style] ?? ",") : separator;
    const body = rule.style === "matrix" && rule.explode ? items.join(`;${name}=`) : items.join(glue);
    return single(body);
  }
  const entries = Object.entries(value).filter(([, item]) => item !== null);
  const members = entries.map(([key, item]) => [encode(key), encode(item)] as [string, string]);
  if (rule.style === "deepObject")
    return { pairs: members.map(([key, item]) => [`${name}%5B${key}%5D`, item]), text: "" };
  if (!rule.explode) return single(members.flat().join(separator));
  const texts = members.map(([key, item]) => `${key}=${item}`);
  const glue = EXPLODED[rule.style] ?? ",";
  const lead = rule.style === "simple" ? "" : glue;
  return { pairs: members, text: lead + texts.join(glue) };
}

/** Already encoded: between the items of a query a space is `%20`. */
const SEPARATORS: Readonly<Record<string, string>> = {
  spaceDelimited: "%20",
  pipeDelimited: "%7C",
  tabDelimited: "%09",
};
const EXPLODED: Readonly<Record<string, string>> = { label: ".", matrix: ";" };

function prefixed(rule: ParameterRule, name: string, text: string): string {
  if (rule.style === "label") return `.${text}`;
  if (rule.style === "matrix") return text === "" ? `;${name}` : `;${name}=${text}`;
  return text;
}
