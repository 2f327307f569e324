import { expect, test } from "bun:test";
import { createPaint } from "./paint.ts";
import { detailText, valueText } from "./value-text.ts";

const plain = createPaint(false);

test("a value is told in aligned lines, with what is nested below its name", () => {
  const value = {
    id: "a",
    count: 2,
    gone: null,
    tags: ["x", "y"],
    none: [],
    note: "two\nlines",
    parts: [{ name: "p", size: 1 }, { name: "q" }],
    inner: { deep: true },
  };
  expect(valueText(value, plain)).toBe(
    [
      "id     a",
      "count  2",
      "gone   none",
      "tags   x, y",
      "none   none",
      "note   two",
      "       lines",
      "parts",
      "  - name  p",
      "    size  1",
      "  - name  q",
      "inner",
      "  deep  true",
      "",
    ].join("\n"),
  );
  expect(valueText({ "a\nid": "b" }, plain)).toBe("a\\nid  b\n");
  expect(valueText("text", plain)).toBe("text\n");
  expect(valueText([1, null], plain)).toBe("- 1\n- none\n");
  expect(valueText({ command: ["sh", "a, b"] }, plain)).toBe("command\n  - sh\n  - a, b\n");
});

test("details stand in one line, which is cut where the terminal ends", () => {
  expect(detailText({ a: "x\ny", b: { c: 1 }, d: null }, 80)).toBe('a=x y b={"c":1}');
  expect(detailText({ a: "abcdefgh" }, 6)).toBe("a=abc…");
  expect(detailText(null, 6)).toBe("");
});
