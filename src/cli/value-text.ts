import type { Paint } from "./paint.ts";

/**
 * A JSON value for a person: members one a line as `name  value`, what is nested below its name, texts as they are. A
 * program asks for `--json` instead.
 */
export function valueText(value: unknown, paint: Paint, indent = ""): string {
  if (isFlat(value)) return `${indent}${flatText(value, paint)}\n`;
  if (Array.isArray(value)) {
    return value
      .map((each) => `${indent}- ${valueText(each, paint, `${indent}  `).slice(indent.length + 2)}`)
      .join("");
  }
  const members = Object.entries(value as object)
    .filter(([, each]) => each !== undefined)
    .map(([name, each]): [string, unknown] => [name.replaceAll("\n", "\\n"), each]);
  const width = Math.max(0, ...members.filter(([, each]) => isFlat(each)).map(([name]) => name.length));
  return members
    .map(([name, each]) => {
      if (!isFlat(each)) return `${indent}${paint.dim(name)}\n${valueText(each, paint, `${indent}  `)}`;
      const room = " ".repeat(width - name.length + 2);
      // Further lines stand below the first one.
      const text = flatText(each, paint).replaceAll("\n", `\n${indent}${" ".repeat(width + 2)}`);
      return `${indent}${paint.dim(name)}${room}${text}\n`;
    })
    .join("");
}

/** The members of an object in one line, at most `width` columns: `name=value name=value …`. */
export function detailText(value: object | null, width: number): string {
  const line = Object.entries(value ?? {})
    .filter(([, each]) => each !== null && each !== undefined)
    .map(([name, each]) => `${name}=${typeof each === "string" ? oneLine(each) : JSON.stringify(each)}`)
    .join(" ");
  return line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`;
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ");

function isFlat(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  const members = Object.values(value);
  return members.length === 0 || (Array.isArray(value) && members.every(isWord));
}

/** Whether it can stand between commas. */
const isWord = (value: unknown): boolean =>
  typeof value === "string" ? !/[,\n]|^$/.test(value) : typeof value !== "object";

function flatText(value: unknown, paint: Paint): string {
  if (value === null || value === undefined) return paint.dim("none");
  if (Array.isArray(value)) return value.length === 0 ? paint.dim("none") : value.join(", ");
  return typeof value === "object" ? paint.dim("none") : String(value);
}
