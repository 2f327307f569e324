import { expect, test } from "bun:test";
import { readAsset } from "../asset.ts";
import { sourceOf } from "../source.ts";
import { assetText, workflowText } from "../testing.ts";

const read = (text: string) => readAsset(sourceOf("w.ts", text), "workflow", false);
const definitionOf = (text: string) => {
  const { asset, diagnostics } = read(text);
  expect(diagnostics).toEqual([]);
  return asset!.workflow!;
};

test("the seed's sample becomes the seed's JSON, member for member", () => {
  const chain = `
    .inputSchema("schemas/text_plan.input.json")
    .outputSchema("schemas/text_plan.output.json")
    .requiredModel("llm.planner")
    .apiStep("draft", "node.llm_prompt", "openai.chat")
    .openaiChatInput("llm.planner", "prompt")
    .toolStep("look", "node.search", "web")
    .threadStep("say", "node.say", "main")`;
  const expected =
    '{"id":"workflow.test","input_schema":"schemas/text_plan.input.json","output_schema":"schemas/text_plan.output.json",' +
    '"required_models":["llm.planner"],"steps":[' +
    '{"step_id":"draft","node_or_composition_id":"node.llm_prompt","target":{"kind":"api","format":"openai.chat"},' +
    '"request":{"kind":"openai_chat_prompt","model_alias":"llm.planner","input_field":"prompt"}},' +
    '{"step_id":"look","node_or_composition_id":"node.search","target":{"kind":"tool","tool_id":"web"}},' +
    '{"step_id":"say","node_or_composition_id":"node.say","target":{"kind":"thread","thread_id":"main"}}]}';
  expect(JSON.stringify(definitionOf(workflowText(chain)))).toBe(expected);
  const snake = chain.replaceAll(
    /(?<=\.\w*)([a-z])([A-Z])(?=\w*\()/g,
    (_, a, b) => `${a}_${b.toLowerCase()}`,
  );
  expect(snake).toContain(".openai_chat_input(");
  expect(JSON.stringify(definitionOf(workflowText(snake)))).toBe(expected);
});

test("define() may be a function, an arrow, a function expression, exported apart, with constants of its own", () => {
  const meta = assetText("workflow", "workflow.test");
  for (const define of [
    'export function define(): WorkflowDef { return workflow(META.id).set("a", { b: 1 }); }',
    'function define() { return workflow(META["id"]).set("a", { b: 1 }) }',
    'export const define = () => workflow("workflow.test").set("a", { b: 1 });',
    'const define = () => (workflow(META.id).set("a", { b: 1 }) as WorkflowDef)!;',
    'export const define = function () { return workflow(META.id).set("a", { b: 1 }); };',
    'const make = () => workflow(META.id).set("a", { b: 1 });\nexport { make as define };',
    'export function define() { const ID = "a"; const B = { b: 1 }; return workflow(META.id).set(ID, B); }',
  ]) {
    expect([define, definitionOf(meta + define).steps]).toEqual([
      define,
      [{ step_id: "a", node_or_composition_id: null, target: { kind: "set", value: { b: 1 } } }],
    ]);
  }
});

test("values read as they would run", () => {
  const before = [
    "const A = `line\\nnext`;",
    "const RAW = String.raw`a\\n\\`b`;",
    "const TABLE = { one: [1, -2.5, 0x10, 1_000, -0], 'two words': { deep: null } } as const;",
    "const B = A;",
  ].join("\n");
  const chain =
    ".set('s', { A, B, raw: RAW, table: TABLE, one: TABLE.one, t: true, __proto__: 1, id: META.id })";
  const target = definitionOf(workflowText(chain, before)).steps[0]!.target as { value: unknown };
  expect(JSON.stringify(target.value)).toBe(
    '{"A":"line\\nnext","B":"line\\nnext","raw":"a\\\\n\\\\`b","table":{"one":[1,-2.5,16,1000,0],"two words":{"deep":null}},' +
      '"one":[1,-2.5,16,1000,0],"t":true,"__proto__":1,"id":"workflow.test"}',
  );
});

test("what has no fixed value is refused with its place", () => {
  for (const [value, message] of [
    ["process.env.HOME", "process is not a const of this file"],
    ["f()", "a call is not read"],
    ["() => 1", "an arrow function is not read"],
    ["1 + 1", "the operator + is not read"],
    ["a ? 1 : 2", "a conditional is not read"],
    ["`a${1}`", "a template literal with a substitution"],
    ["tag`a`", "a tagged template"],
    ["[...x]", "a spread is not read"],
    ["[, 1]", "an array has a hole"],
    ["/x/", "a pattern literal is not JSON"],
    ["1n", "a big integer is not JSON"],
    ["1e999", "out of range"],
    ["undefined", "undefined is not JSON"],
    ["!true", "the operator ! is not read"],
    ["'\\ud800'", "lone surrogate"],
    ["LOOP", "LOOP refers to itself"],
    ["META.nothing", 'no member "nothing"'],
    ["META[key]", "a computed member"],
    ["CHANGING", "CHANGING is not a const of this file"],
    ["import('x')", "is not read"],
    ["{ a: 1, a: 2 }", 'the key "a" stands twice'],
    ["{ ['a']: 1 }", "a computed key is not read"],
    ["{ get a() { return 1 } }", "a getter or setter is not read"],
  ]) {
    const { diagnostics } = read(
      workflowText(`.set("s", { v: ${value} })`, "const LOOP = [LOOP];\nlet CHANGING = 1;"),
    );
    expect([value, diagnostics.map((found) => found.message)]).toEqual([
      value,
      [expect.stringContaining(message!)],
    ] as never);
    expect(diagnostics[0]).toMatchObject({ code: "value_not_static", hint: expect.any(String) });
  }
});

test("a shape that is no chain of this builder is refused", () => {
  const meta = assetText("workflow", "workflow.test");
  for (const [define, code, message] of [
    ["", "define_missing", "workflow asset w.ts does not define define()"],
    ["export function define() { return 5 }", "define_unsupported", "does not return a builder chain"],
    ["export function define() { workflow(META.id) }", "define_unsupported", "does not end in return"],
    [
      "export function define() { log(); return workflow(META.id) }",
      "define_unsupported",
      "does more than return",
    ],
    ["export function define(x) { return workflow(META.id) }", "define_unsupported", "takes no parameters"],
    ["export async function define() { return workflow(META.id) }", "define_unsupported", "plain function"],
    ["export function* define() { return workflow(META.id) }", "define_unsupported", "plain function"],
    ["export const define = workflow(META.id)", "define_missing", "does not define define()"],
    ["export const define = () => node(META.id)", "define_unsupported", "uses an unsupported define() shape"],
    ["export const define = () => workflow()", "define_unsupported", "takes one argument"],
    [
      "export const define = () => workflow(META.title)",
      "id_mismatch",
      "define() id Title does not match META id workflow.test",
    ],
    ['export const define = () => workflow(META.id)["set"]("a", {})', "define_unsupported", "builder chain"],
    [
      "export const define = () => workflow(META.id)?.set('a', { b: 1 })",
      "define_unsupported",
      "builder chain",
    ],
    [
      "export const define = () => workflow(META.id).constructor('x')",
      "method_unknown",
      "no method constructor",
    ],
    ["export const define = () => workflow(META.id).apistep('x')", "method_unknown", "no method apistep"],
    ["export const define = () => workflow(META.id).set('x')", "define_unsupported", "set got 1 argument"],
  ]) {
    expect([define, read(meta + define).diagnostics]).toMatchObject([
      define,
      [{ code, message: expect.stringContaining(message!) }],
    ]);
  }
});

test("an argument that does not fit is refused at its own place (§), with what would", () => {
  for (const [marked, message, hint] of [
    ['.apiStep("a", "n", §"openai.chatt")', "must be one of openai.chat", "probably openai.chat"],
    [
      '.commandStep("a", { command: "sh", §tiemout: "PT1S" })',
      "tiemout: unknown field; did you mean timeout?",
      "known here:",
    ],
    [
      '.commandStep("a", { command: "sh", §timeout: "5 minutes" })',
      "timeout: must be an ISO 8601 duration",
      "PT5M",
    ],
    ['.commandStep("a", { §command: "${ .inputs.x }" })', "the command is an expression", "arguments"],
    ['.assertStep("a", { §that: "true", message: "m" })', "that: must be an expression", "${"],
    ['.assertStep("a", §{ that: "${ true }" })', "message: is missing", "preload"],
    ['.input("p", { §type: "strin" })', "type: must be one of string", "probably string"],
    ['.input("p", { type: "string", §minimum: 1 })', "a string port has no minimum", "range"],
    ['.input("p", { type: "integer", §default: "x" })', "the default is not an integer", "take"],
    ['.input("p", { type: "integer", §minimum: 2, maximum: 1 })', "the minimum is above the maximum", "swap"],
    ['.input("p", { type: "string", §pattern: "(" })', "the pattern does not compile", "pattern"],
    [
      '.input("p", { type: "string", required: true, §default: "x" })',
      "a required port has a default",
      "remove",
    ],
    ['.input("p", { type: "string", enum: ["a", §1] })', "enum: is not a string", "remove"],
    ['.input("p", { type: "json" }).input(§"p", { type: "json" })', "the port p stands twice", "remove"],
    ['.set(§"../a", { b: 1 })', "must be a step id", "draft"],
    ['.set(§"end", { b: 1 })', "end is a flow directive", "otherwise"],
    ['.set(§"a.resp.json", { b: 1 })', "invalid step_id path segment", "end it"],
    ['.set("a", §[])', "set takes an object", "{"],
    ['.set("a", { b: 1 }).set(§"a", { b: 1 })', "the step a stands twice", "own"],
    ['.switchStep("a", [§{ then: "end" }, { then: "exit" }])', "hides those behind it", "last"],
    ['.toolStep("a", "n", §"../x")', "invalid tool_id path segment: ../x", "one path segment"],
    ['.openaiChatInput(§"m", "p")', "there is no API step before it", "apiStep"],
  ] as const) {
    const chain = marked.replace("§", "");
    const { diagnostics } = read(workflowText(chain));
    expect([marked, diagnostics]).toMatchObject([
      marked,
      [
        {
          line: 4,
          column: "  return workflow(META.id)".length + marked.indexOf("§") + 1,
          message: expect.stringContaining(message),
          hint: expect.stringContaining(hint),
        },
      ],
    ]);
  }
});

test("expressions that name a missing step or input, and a flow that goes nowhere, are refused", () => {
  const ports = '.input("repository", { type: "path" })';
  for (const [chain, code, message, hint] of [
    [
      '.set("a", { b: "${ .inputs.repo }" })',
      "input_unknown",
      "there is no input repo",
      "known inputs: repository",
    ],
    [
      '.set("a", { b: "${ .steps.nope.output }" })',
      "step_unknown",
      "there is no step nope",
      "known steps: a",
    ],
    [
      '.set("a", { b: "${ .steps[\\"no-pe\\"].output }" })',
      "step_unknown",
      "there is no step no-pe",
      "known steps: a",
    ],
    [
      '.set("a", { b: 1 }, { then: "bb" })',
      "step_unknown",
      "there is no step bb to go to",
      "continue, exit or end",
    ],
    ['.switchStep("a", [{ then: "bb" }])', "step_unknown", "there is no step bb to go to", "continue"],
    [
      '.set("a", { b: 1 }).output({ c: "${ .inputs.repo }" })',
      "input_unknown",
      "there is no input repo",
      "known",
    ],
    ['.set("a", { b: 1 }, { if: "${ .inputs.x == 1 }" })', "input_unknown", "there is no input x", "known"],
    ['.inputSchema({ type: "object" })', "value_invalid", "typed inputs and an input schema", "once"],
  ] as const) {
    const { diagnostics } = read(workflowText(ports + chain));
    expect([chain, diagnostics.filter(({ severity }) => severity === "error")]).toMatchObject([
      chain,
      [{ code, message: expect.stringContaining(message), hint: expect.stringContaining(hint) }],
    ]);
  }
  const fine =
    '.set("a", { b: "${ .inputs.repository }", c: "${ [.steps.a.output[] | .inputs.x] }", d: "${ \\".inputs.x\\" }" })';
  expect(read(workflowText(ports + fine)).diagnostics).toEqual([]);
});

test("option names may be written in snake_case, while maps keep the author's keys", () => {
  const chain =
    '.commandStep("a", { command: "sh", environment: { media_type: "x" }, artifacts: [{ path: "p", media_type: "t/x" }], mounts: [{ source: "/s", read_only: false }] })';
  expect(definitionOf(workflowText(chain)).steps[0]!.target).toEqual({
    kind: "command",
    command: "sh",
    arguments: [],
    environment: { media_type: "x" },
    output: "text",
    workspace: "session",
    artifacts: [{ path: "p", media_type: "t/x" }],
    mounts: [{ source: "/s", read_only: false }],
    repeatable: false,
    capabilities: [],
  });
});

test("nodes, compositions and models say what they are as data, or nothing", () => {
  const chain =
    '.description("d").input("prompt", { type: "string" }).output("text", { type: "json" }).capability("chat")';
  for (const kind of ["node", "composition", "model"] as const) {
    const text = assetText(kind, `${kind}.a`);
    const define = `export const define = () => ${kind}(META.id)${chain};`;
    const source = (rest: string) => readAsset(sourceOf("c.ts", text + rest), kind, false);
    expect(source("").diagnostics).toEqual([]);
    expect(source(define)).toMatchObject({
      asset: {
        component: {
          id: `${kind}.a`,
          description: "d",
          inputs: { prompt: { type: "string" } },
          outputs: { text: { type: "json" } },
          capabilities: ["chat"],
        },
      },
      diagnostics: [],
    });
    expect(source(define.replace(".description", ".nothing")).diagnostics).toMatchObject([
      { code: "method_unknown" },
    ]);
  }
});
