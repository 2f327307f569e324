import type { Node } from "./ast.ts";
import type { Cursor } from "./cursor.ts";
import { invalid } from "./invalid.ts";
import type { Grammar } from "./terms.ts";

/** A string from its opening quote on; `format` is the `@name` in front of it. */
export function parseString(cursor: Cursor, grammar: Grammar, format: string | null): Node {
  const { source, now, jump, isOperator, refuse, unexpected } = cursor;
  const at = now().start;
  const parts: (string | Node)[] = [];
  let text = "";
  let index = now().end;
  for (;;) {
    const code = source.charCodeAt(index);
    if (Number.isNaN(code)) return refuse("the string is not closed");
    if (code === 0x22) break;
    if (code !== 0x5c) {
      text += source[index++];
      continue;
    }
    const letter = source[index + 1];
    if (letter === "(") {
      if (text !== "") parts.push(text);
      text = "";
      jump(index + 2);
      parts.push(grammar.pipe());
      if (!isOperator(")")) unexpected("')'");
      index = now().end;
      continue;
    }
    const length = letter === "u" ? 6 : 2;
    try {
      text += JSON.parse(`"${source.slice(index, index + length)}"`) as string;
    } catch {
      throw invalid(source, index, "invalid escape in a string");
    }
    index += length;
  }
  jump(index + 1);
  if (text !== "") parts.push(text);
  if (parts.length === 0) return { kind: "literal", at, value: "" };
  if (parts.length === 1 && typeof parts[0] === "string")
    return { kind: "literal", at, value: parts[0].toWellFormed() };
  return { kind: "text", at, format, parts };
}
