import { fail } from "../../base/errors.ts";

const RANGE = /^(-?\d+)\.\.(-?\d+)$/;
/** Values of one axis: more would make a sweep that nobody looks through. */
const MOST = 256;

/** `1..8` as its integers, `a,b` as its parts, anything else as itself. A comma in a value is written `\,`. */
export function axisOf(name: string, text: string): string[] {
  const range = RANGE.exec(text);
  if (range === null) return text.split(/(?<!\\),/).map((part) => part.replaceAll("\\,", ","));
  const [from, to] = [Number(range[1]), Number(range[2])];
  const count = Math.abs(to - from) + 1;
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || count > MOST) {
    throw fail("usage", `--set ${name}=${text}: a range has at most ${MOST} values`);
  }
  return Array.from({ length: count }, (_, at) => String(from + (to >= from ? at : -at)));
}
