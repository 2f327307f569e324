import type { Json } from "../../base/json.ts";
import { charge, spend } from "../meter.ts";

/** jq prints nothing below this level. */
const DEEPEST = 10_000;
const DELETE = /\u007f/g;

/**
 * A number as jq prints it: the shortest digits that read back, `1e+17` from the seventeenth integer digit behind the
 * last significant one on, `1e-05` below a ten-thousandth; not-a-number is null and infinity the largest double.
 */
export function numberText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return Object.is(value, -0) ? "-0" : String(value);
  if (Number.isNaN(value)) return "null";
  if (value === Number.POSITIVE_INFINITY) return "1.7976931348623157e+308";
  if (value === Number.NEGATIVE_INFINITY) return "-1.7976931348623157e+308";
  const [mantissa, power] = Math.abs(value).toExponential().split("e") as [string, string];
  const digits = mantissa.replace(".", "");
  const point = Number(power) + 1;
  const sign = value < 0 ? "-" : "";
  if (point <= -4 || point > digits.length + 15) {
    const exponent = Math.abs(point - 1);
    const tail = digits.length > 1 ? `.${digits.slice(1)}` : "";
    return `${sign}${digits[0]}${tail}e${point - 1 < 0 ? "-" : "+"}${exponent < 10 ? "0" : ""}${exponent}`;
  }
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  if (digits.length <= point) return `${sign}${digits}${"0".repeat(point - digits.length)}`;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

export function stringText(value: string): string {
  const text = JSON.stringify(value);
  return text.includes("\u007f") ? text.replace(DELETE, "\\u007f") : text;
}

/**
 * Compact JSON as `tojson` gives it. It charges as it goes, because a small value may repeat one part so often that
 * its text would not end. `limit` stops early, for messages that show only the beginning.
 */
export function serialize(value: Json, limit = Number.POSITIVE_INFINITY): string {
  let text = "";
  const add = (piece: string): void => {
    charge(piece.length);
    text += piece;
  };
  const write = (item: Json, depth: number): void => {
    switch (typeof item) {
      case "string":
        return add(stringText(item.length > limit ? item.slice(0, limit) : item));
      case "number":
        return add(numberText(item));
      case "boolean":
        return add(item ? "true" : "false");
      default:
    }
    if (item === null) return add("null");
    if (depth > DEEPEST) return add("<skipped: too deep>");
    if (Array.isArray(item)) {
      spend(item.length + 1);
      add("[");
      for (let i = 0; i < item.length && text.length < limit; i++) {
        if (i > 0) text += ",";
        write(item[i]!, depth + 1);
      }
      return add("]");
    }
    add("{");
    let first = true;
    for (const key of Object.keys(item)) {
      if (text.length >= limit) break;
      spend(1);
      add(`${first ? "" : ","}${stringText(key)}:`);
      first = false;
      write(item[key]!, depth + 1);
    }
    add("}");
  };
  if (typeof value === "number") return numberText(value);
  write(value, 0);
  return text;
}

/** `tostring`: text stays as it is. */
export function textOf(value: Json): string {
  return typeof value === "string" ? value : serialize(value);
}
