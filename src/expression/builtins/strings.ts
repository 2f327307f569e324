import type { Json } from "../../base/json.ts";
import { ARRAY_BYTES, charge, ITEM_BYTES, spend } from "../meter.ts";
import { raise, raiseFor } from "../values/failure.ts";
import { splitText } from "../values/text.ts";
import { of, type Table, with1 } from "./define.ts";
import { formatNamed } from "./formats.ts";

const BLANK = "[ \\t\\n\\v\\f\\r]";
const LEADING = new RegExp(`^${BLANK}+`);

function textInput(input: Json, name: string): string {
  if (typeof input !== "string") throw raise(`${name} input must be a string`);
  charge(input.length);
  spend(input.length >> 3);
  return input;
}

function bothText(input: Json, part: Json, name: string): asserts input is string {
  if (typeof input !== "string" || typeof part !== "string") throw raise(`${name}() requires string inputs`);
}

/** Cut from the end by hand: a pattern anchored there tries every blank of the text. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && " \t\n\v\f\r".includes(text[end - 1]!)) end--;
  return text.slice(0, end);
}

const trimStart = (text: string): string => text.replace(LEADING, "");

function withoutStart(input: Json, part: Json): string {
  bothText(input, part, "startswith");
  return input.startsWith(part as string) ? input.slice((part as string).length) : input;
}

function withoutEnd(input: Json, part: Json, name = "endswith"): string {
  bothText(input, part, name);
  return input.endsWith(part as string) ? input.slice(0, input.length - (part as string).length) : input;
}

function explode(input: Json): Json {
  const text = textInput(input, "explode");
  charge(ARRAY_BYTES + text.length * ITEM_BYTES);
  return Array.from(text, (character) => character.codePointAt(0)!);
}

function implode(input: Json): Json {
  if (!Array.isArray(input)) throw raise("implode input must be an array");
  spend(input.length);
  charge(input.length);
  let text = "";
  for (const point of input) {
    if (typeof point !== "number") {
      throw raiseFor(point, "can't be imploded, unicode codepoint needs to be numeric");
    }
    const whole = Math.trunc(point);
    const valid = whole >= 0 && whole <= 0x10ffff && !(whole >= 0xd800 && whole <= 0xdfff);
    text += String.fromCodePoint(valid ? whole : 0xfffd);
  }
  return text;
}

/** Only A to Z and a to z change. */
function asciiCase(input: Json, upper: boolean): Json {
  const text = textInput(input, "explode");
  return upper
    ? text.replace(/[a-z]+/g, (part) => part.toUpperCase())
    : text.replace(/[A-Z]+/g, (part) => part.toLowerCase());
}

export const STRINGS: Table = {
  "startswith/1": with1((input, part) => {
    bothText(input, part, "startswith");
    return input.startsWith(part as string);
  }),
  "endswith/1": with1((input, part) => {
    bothText(input, part, "endswith");
    return input.endsWith(part as string);
  }),
  "ltrimstr/1": with1(withoutStart),
  "rtrimstr/1": with1((input, part) => withoutEnd(input, part)),
  "trimstr/1": with1((input, part) => withoutEnd(withoutStart(input, part), part)),
  "trim/0": of((input) => trimEnd(trimStart(textInput(input, "trim")))),
  "ltrim/0": of((input) => trimStart(textInput(input, "trim"))),
  "rtrim/0": of((input) => trimEnd(textInput(input, "trim"))),
  "split/1": with1((input, separator) => {
    if (typeof input !== "string" || typeof separator !== "string") {
      throw raise("split input and separator must be strings");
    }
    return splitText(input, separator);
  }),
  "explode/0": of(explode),
  "implode/0": of(implode),
  "ascii_downcase/0": of((input) => asciiCase(input, false)),
  "ascii_upcase/0": of((input) => asciiCase(input, true)),
  "ascii/0": of((input) => implode([input])),
  "format/1": with1((input, name) => formatNamed(name, input)),
};
