import type { Node, Pattern } from "./ast.ts";
import type { Cursor } from "./cursor.ts";
import type { Grammar } from "./terms.ts";

/** What stands behind `as`: one pattern, or several with `?//` between them. */
export function parsePatterns(cursor: Cursor, grammar: Grammar): Pattern[] {
  const { now, is, take, advance, expect, nested, unexpected } = cursor;

  const pattern = (): Pattern =>
    nested((): Pattern => {
      if (is("variable")) return { kind: "variable", name: advance().text };
      if (take("[")) {
        const items = [pattern()];
        while (take(",")) items.push(pattern());
        expect("]");
        return { kind: "array", items };
      }
      if (!take("{")) return unexpected("a pattern");
      const entries: { key: Node; bind?: string; value?: Pattern }[] = [];
      do {
        const at = now().start;
        if (is("variable")) {
          const bind = advance().text;
          const key: Node = { kind: "literal", at, value: bind };
          entries.push(take(":") ? { key, bind, value: pattern() } : { key, bind });
          continue;
        }
        let key: Node;
        if (is("identifier") || is("keyword")) {
          key = { kind: "literal", at, value: advance().text };
        } else if (is("quote")) key = grammar.string(null);
        else if (take("(")) {
          key = grammar.pipe();
          expect(")");
        } else return unexpected("a key of the pattern");
        expect(":");
        entries.push({ key, value: pattern() });
      } while (take(","));
      expect("}");
      return { kind: "object", entries };
    });

  const patterns = [pattern()];
  while (take("?//")) patterns.push(pattern());
  return patterns;
}
