import type { Json, JsonObject } from "../../base/json.ts";
import { charge, enter, leave, spend } from "../meter.ts";

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

function stringText(value: string): string {
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
  const writeArray = (items: readonly Json[]): void => {
    spend(items.length + 1);
    enter();
    add("[");
    for (let i = 0; i < items.length && text.length < limit; i++) {
      if (i > 0) text += ",";
      write(items[i]!);
    }
    add("]");
    leave();
  };
  const writeObject = (object: JsonObject): void => {
    enter();
    add("{");
    let separator = "";
    for (const key of Object.keys(object)) {
      if (text.length >= limit) break;
      spend(1);
      add(`${separator}${stringText(key)}:`);
      separator = ",";
      write(object[key]!);
    }
    add("}");
    leave();
  };
  const write = (item: Json): void => {
    if (typeof item === "string") add(stringText(item.length > limit ? item.slice(0, limit) : item));
    else if (typeof item === "number") add(numberText(item));
    else if (typeof item !== "object" || item === null) add(String(item));
    else if (Array.isArray(item)) writeArray(item);
    else writeObject(item);
  };
  if (typeof value === "number") return numberText(value);
  write(value);
  return text;
}

/** `tostring`: text stays as it is. */
export function textOf(value: Json): string {
  return typeof value === "string" ? value : serialize(value);
}
