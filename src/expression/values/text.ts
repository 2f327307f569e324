import type { Json } from "../../base/json.ts";
import { ARRAY_BYTES, charge, ITEM_BYTES, spend } from "../meter.ts";

const SURROGATE = /[\ud800-\udfff]/;

/** jq counts code points, JavaScript UTF-16 units; most texts need no conversion between the two. */
export function isWide(text: string): boolean {
  return SURROGATE.test(text);
}

export function codePointLength(text: string): number {
  if (text.length > 64) spend(text.length >> 4);
  if (!isWide(text)) return text.length;
  let length = 0;
  for (const _ of text) length++;
  return length;
}

/** The UTF-16 offset of a code point index that lies in the text. */
function offsetOf(text: string, index: number): number {
  let offset = 0;
  for (let i = 0; i < index && offset < text.length; i++) {
    offset += text.codePointAt(offset)! > 0xffff ? 2 : 1;
  }
  return offset;
}

/** A slice by code points; both bounds lie in the text. */
export function sliceText(text: string, from: number, to: number): string {
  charge(to - from);
  if (!isWide(text)) return text.slice(from, to);
  spend(text.length >> 2);
  return text.slice(offsetOf(text, from), offsetOf(text, to));
}

export function splitText(text: string, separator: string): Json[] {
  if (text === "") return [];
  const parts = separator === "" ? Array.from(text) : text.split(separator);
  charge(text.length + ARRAY_BYTES + parts.length * ITEM_BYTES);
  spend(parts.length);
  return parts;
}

/** Code point offsets of every occurrence, overlapping ones too. */
export function indicesOfText(text: string, part: string): Json {
  if (part === "") return [];
  spend(text.length);
  const wide = isWide(text);
  const found: Json[] = [];
  let points = 0;
  let counted = 0;
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + 1)) {
    if (wide) {
      points += Array.from(text.slice(counted, at)).length;
      counted = at;
    }
    charge(ITEM_BYTES);
    spend(1);
    found.push(wide ? points : at);
  }
  return found;
}
