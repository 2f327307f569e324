import type { Json } from "../../base/json.ts";
import { charge, spend } from "../meter.ts";
import { raise, raiseFor } from "../values/failure.ts";
import { numberText, serialize, textOf } from "../values/serialize.ts";

const HTML: Record<string, string> = { "<": "&lt;", ">": "&gt;", "&": "&amp;", "'": "&apos;", '"': "&quot;" };
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function scalarsOf(input: Json, name: string): Json[] {
  if (!Array.isArray(input)) throw raiseFor(input, `cannot be ${name}-formatted, only array`);
  spend(input.length);
  return input;
}

function csv(input: Json): string {
  return scalarsOf(input, "csv")
    .map((item) => {
      if (typeof item === "string") return `"${item.replaceAll('"', '""')}"`;
      if (item === null) return "";
      if (typeof item === "object") throw raiseFor(item, "is not valid in a csv row");
      return textOf(item);
    })
    .join(",");
}

const TSV: Record<string, string> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

function tsv(input: Json): string {
  return scalarsOf(input, "tsv")
    .map((item) => {
      if (typeof item === "string") return item.replace(/[\\\t\n\r]/g, (character) => TSV[character]!);
      if (item === null) return "";
      if (typeof item === "object") throw raiseFor(item, "is not valid in a csv row");
      return textOf(item);
    })
    .join("\t");
}

function shell(input: Json): string {
  const quote = (item: Json): string => {
    if (typeof item === "string") return `'${item.replaceAll("'", "'\\''")}'`;
    if (typeof item === "object" && item !== null) throw raiseFor(item, "can not be escaped for shell");
    return textOf(item);
  };
  if (!Array.isArray(input)) return quote(input);
  spend(input.length);
  return input.map(quote).join(" ");
}

function uri(input: Json): string {
  return encodeURIComponent(textOf(input).toWellFormed()).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function uriDecode(input: Json): string {
  const text = textOf(input);
  try {
    return decodeURIComponent(text);
  } catch {
    throw raiseFor(text, "is not a valid uri encoding");
  }
}

function base64Decode(input: Json): string {
  const text = textOf(input);
  const body = text.replace(/=+$/, "");
  if (/[^A-Za-z0-9+/]/.test(body)) throw raiseFor(text, "is not valid base64 data");
  if (body.length % 4 === 1) throw raiseFor(text, "trailing base64 byte found");
  return Buffer.from(body, "base64").toString("utf8");
}

function base32(input: Json): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of Buffer.from(textOf(input))) {
    held = (held << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += BASE32[(held >>> (bits - 5)) & 31];
    held &= 31;
  }
  if (bits > 0) text += BASE32[(held << (5 - bits)) & 31];
  return text.padEnd(Math.ceil(text.length / 8) * 8, "=");
}

function base32Decode(input: Json): string {
  const text = textOf(input);
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const character of text.replace(/=+$/, "")) {
    const digit = BASE32.indexOf(character);
    if (digit === -1) throw raiseFor(text, "is not valid base32 data");
    held = ((held << 5) | digit) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >>> bits) & 0xff);
    }
  }
  return Buffer.from(bytes).toString("utf8");
}

const charged =
  (convert: (input: Json) => string) =>
  (input: Json): string => {
    if (typeof input === "string") spend(input.length >> 3);
    const text = convert(input);
    charge(text.length);
    return text;
  };

/** `@name`, alone or before a string, by name. */
export const FORMATS: ReadonlyMap<string, (input: Json) => string> = new Map(
  Object.entries({
    text: textOf,
    json: (input: Json) => (typeof input === "number" ? numberText(input) : serialize(input)),
    csv: charged(csv),
    tsv: charged(tsv),
    sh: charged(shell),
    html: charged((input) => textOf(input).replace(/[<>&'"]/g, (character) => HTML[character]!)),
    uri: charged(uri),
    urid: charged(uriDecode),
    base64: charged((input) => Buffer.from(textOf(input)).toString("base64")),
    base64d: charged(base64Decode),
    base32: charged(base32),
    base32d: charged(base32Decode),
  }),
);

export function formatNamed(name: Json, input: Json): string {
  const format = typeof name === "string" ? FORMATS.get(name) : undefined;
  if (format === undefined) throw raise(`${textOf(name)} is not a valid format`);
  return format(input);
}
