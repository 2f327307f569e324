import { expect, test } from "bun:test";
import { nestingProblem } from "./nesting.ts";
import { parseTypeScript } from "./parser.ts";

const deep = (count: number): Record<string, string> => ({
  arrays: `x=${"[".repeat(count)}${"]".repeat(count)}`,
  "arrays never closed": `x=${"[".repeat(count)}`,
  brackets: `x=${"(".repeat(count)}1${")".repeat(count)}`,
  blocks: `${"{".repeat(count)}${"}".repeat(count)}`,
  templates: `x=${"`${".repeat(count)}1${"}`".repeat(count)}`,
  "prefix operators": `x=${"!".repeat(count)}1`,
  "words as operators": `x=${"typeof ".repeat(count)}1`,
  sums: `x=1${"+1".repeat(count)}`,
  assignments: `${"x=".repeat(count)}1`,
  functions: `x=${"a=>".repeat(count)}1`,
  conditions: `x=${"a?b:".repeat(count)}1`,
  statements: `${"if(1)".repeat(count)};`,
  alternatives: `if(1){}${"else if(1){}".repeat(count)}`,
  "array types": `type A=B${"[]".repeat(count)}`,
  "type arguments": `let x:${"A<".repeat(count)}B${">".repeat(count)}`,
  "type arguments after commas": `let x:${"A<B,".repeat(count)}B${">".repeat(count)}`,
  assertions: `x=${"<A>".repeat(count)}y`,
  "a quote inside a pattern": `x=/'/;y=${"[".repeat(count)}`,
  "a backtick inside a pattern": `x=/\`/;y=${"[".repeat(count)}`,
  "a backtick in a pattern after a bracket": `if(1)/\`/;y=${"[".repeat(count)}`,
  "a quote in a pattern after a loop's head": `for await (a of b)/'/;y=${"[".repeat(count)}`,
  "a quote in a pattern after nested brackets": `while(f(1)+(2))/'/;y=${"[".repeat(count)}`,
  "a division that looks like a pattern": `y=(1)/2;z=${"[".repeat(count)}/1`,
  "a quote in a pattern after a negation": `x=!/'/.test(z);y=${"[".repeat(count)}`,
  "a division behind a value that is no null": `y=z!\n/2;x=${"[".repeat(count)}/1`,
  "a pattern that looks like a comment": `x=/[/*]/;y=${"[".repeat(count)}`,
});

test("a source that would overflow the native parser's stack is refused before it is parsed", () => {
  for (const [name, text] of Object.entries(deep(50_000))) {
    expect([name, nestingProblem(text)?.offset]).toEqual([name, expect.any(Number)]);
  }
});

test("what passes the bound is parsed without harm", () => {
  for (const [name, text] of Object.entries(deep(199))) {
    if (nestingProblem(text) === undefined)
      expect([name, parseTypeScript(text).program.type]).toEqual([name, "Program"]);
  }
  for (let count = 400; count <= 12_800; count *= 2) {
    for (const text of Object.values(deep(count)))
      if (nestingProblem(text) === undefined) parseTypeScript(text);
  }
});

test("long ordinary sources pass: chains, tables, strings full of brackets, comments, patterns", () => {
  const chain = `export const define = () => workflow("w")${'.set("a", { b: [1, 2, 3] })\n'.repeat(3000)};`;
  const table = `const T = [${'{ a: "(((", b: `[[[`, c: 1 },\n'.repeat(5000)}];`;
  const text = `/* ${"[".repeat(5000)} */\n// ${"(".repeat(5000)}\nconst p = /[(["'\`]/g;\nconst q = (1 + 2) / 3;\nconst r = (q + 1) / (2 * q) + f("/") / 2;\nif (!/^(?:a|b)/i.test(s)) throw 1;\n`;
  const functions =
    "export function f(a: Map<string, number>) {\n  return a.size > 1 ? `${a.size}` : {};\n}\n".repeat(2000);
  for (const source of [chain, table, text + table, functions]) {
    expect(nestingProblem(source)).toBeUndefined();
    expect(parseTypeScript(source).problems).toEqual([]);
  }
});
