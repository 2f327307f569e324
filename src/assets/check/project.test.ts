import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { scaffold } from "../../builtins/scaffold.ts";
import { ASSET_KINDS, folderOf } from "../kinds.ts";
import { assetText, TestProject, workflowText } from "../testing.ts";
import { checkProject } from "./project.ts";

const component = (kind: string, id: string, chain: string, rest = "") =>
  assetText(kind, id, `export const define = () => ${kind}(META.id)${chain};\n${rest}`);

const UPPER = component(
  "node",
  "node.upper",
  `.input("text", { type: "string", required: true }).input("times", { type: "integer", default: 1 })
   .output("text", { type: "string", required: true }).value({ text: "\${ .inputs.text * .inputs.times }" })`,
);

function problems(files: Record<string, string>, only?: string) {
  using project = new TestProject();
  for (const [path, text] of Object.entries(files)) project.write(path, text);
  const { diagnostics } = checkProject(
    project.root,
    only === undefined ? undefined : join(project.root, only),
  );
  return diagnostics.map(({ code, severity, message, line, column }) => ({
    code,
    severity,
    message,
    at: `${line}:${column}`,
  }));
}
/** Problems of one workflow whose chain stands on its fourth line. */
const ofChain = (chain: string, files: Record<string, string> = {}) =>
  problems({ "nodes/upper.ts": UPPER, ...files, "workflows/w.ts": workflowText(chain) });

test("every scaffold passes", () => {
  using project = new TestProject();
  for (const kind of ASSET_KINDS) project.write(`${folderOf(kind)}/x.ts`, scaffold(kind, `${kind}.x`, "X"));
  expect(checkProject(project.root)).toEqual({ files: 4, diagnostics: [] });
});

test("each mistake of wiring is named at its place, and none hides another", () => {
  const lead = "  return workflow(META.id)".length;
  const chain = `.step("a", "node.upper", { inputs: { txt: "x", times: "often" } }).step("b", "node.upper", { inputs: { text: "\${ .steps.a.output.size }" } })`;
  const column = (part: string) => `4:${lead + chain.indexOf(part) + 1}`;
  expect(ofChain(chain)).toEqual([
    {
      code: "port_missing",
      severity: "error",
      message: "the step a does not wire the input text of node.upper",
      at: expect.stringMatching(/^4:/),
    },
    {
      code: "port_unknown",
      severity: "error",
      message: "node.upper has no input txt",
      at: column('txt: "x"'),
    },
    {
      code: "type_mismatch",
      severity: "error",
      message: "the input times of node.upper is not an integer",
      at: column('times: "often"'),
    },
    {
      code: "port_unknown",
      severity: "error",
      message: "the step a has no output size",
      at: expect.stringMatching(/^4:/),
    },
  ]);
});

test("a path whose port has another type is a mismatch; what an expression computes is left to the run", () => {
  const wired = (value: string) =>
    ofChain(`.input("flag", { type: "boolean" }).input("n", { type: "integer" }).input("any", { type: "json" })
      .step("a", "node.upper", { inputs: { text: "x", times: "${value}" } }).output({ f: "\${ [.inputs.flag, .inputs.n, .inputs.any] }" })`).map(
      ({ code, message }) => [code, message],
    );
  expect(wired("${ .inputs.flag }")).toEqual([
    ["type_mismatch", "the input times of node.upper takes an integer, and .inputs.flag is a boolean"],
  ]);
  for (const good of ["${ .inputs.n }", "${ .inputs.any }", "${ .inputs.flag | length }"]) {
    expect([good, wired(good)]).toEqual([good, []]);
  }
});

test("missing nodes and models, circles, duplicate ids and unused inputs are found", () => {
  const codes = (chain: string, files: Record<string, string> = {}) =>
    ofChain(chain, files).map(({ code, severity }) => `${severity} ${code}`);
  expect(codes('.step("a", "node.none")')).toEqual(["error node_missing"]);
  expect(codes('.requiredModel("llm.none").set("a", { b: 1 })')).toEqual(["error model_missing"]);
  expect(codes('.set("a", { b: "${ .steps.c.output }" }).set("c", { d: "${ .steps.a.output }" })')).toEqual([
    "error cycle",
  ]);
  expect(codes('.input("unused", { type: "string" }).set("a", { b: 1 })')).toEqual(["warning input_unused"]);
  const said = (output: string) =>
    codes(`.commandStep("a", { command: "ls"${output} }).output({ b: "\${ .steps.a.output }" })`);
  expect(said("")).toEqual(["warning output_empty"]);
  expect(said(', output: "json"')).toEqual([]);
  expect(codes("", { "nodes/twin.ts": UPPER })).toEqual(["error id_duplicate"]);
  const self = component("composition", "composition.self", '.step("a", "composition.self")');
  expect(codes("", { "compositions/s.ts": self })).toEqual(["error cycle"]);
  expect(codes('.commandStep("a", { command: "ls", resources: { gpu: 1 } })')).toEqual([
    "error value_invalid",
  ]);
  expect(
    codes('.set("a", { b: 1 }).set("c", { d: 1 }, { needs: ["a"] }).set("e", { f: 1 }, { then: "end" })'),
  ).toEqual(["error value_invalid"]);
});

test("a node says what its file must hold", () => {
  const code = component("node", "node.code", '.input("a", { type: "string" }).code()');
  expect(problems({ "nodes/c.ts": code }).map(({ message }) => message)).toEqual([
    "the file exports no function run",
  ]);
  expect(problems({ "nodes/c.ts": `${code}export function run() {}\n` })).toEqual([]);
  const result = component(
    "node",
    "node.r",
    '.output("a", { type: "string", required: true }).value({ b: 1 }).result({ b: 1 })',
  );
  expect(problems({ "nodes/r.ts": result }).map(({ code }) => code)).toEqual([
    "port_unknown",
    "port_missing",
  ]);
  const twice = component("node", "node.t", '.value({ a: 1 }).tool("x")');
  expect(problems({ "nodes/t.ts": twice }).map(({ message }) => message)).toEqual([
    "the node does something already",
  ]);
});

test("presets fit their workflow, policies their schema, and runs/ holds examples only", () => {
  const files = {
    "workflows/w.ts": workflowText('.input("n", { type: "integer" }).output({ n: "${ .inputs.n }" })'),
    "presets/good.ts": 'export const PRESET = { workflow: "workflow.test", inputs: { n: 1 } } as const;',
    "presets/bad.ts": 'export const PRESET = { workflow: "workflow.test", inputs: { n: "x", m: 1 } };',
    "presets/lost.ts": 'export const PRESET = { workflow: "workflow.tset", inputs: {} };',
    "presets/odd.ts": "export const PRESET = { workflow: 1 };",
    "policies/good.ts": 'export const POLICY = { network: "deny-all" } as const;',
    "policies/bad.ts": 'export const POLICY = { netwrok: "deny-all" };',
    "runs/example.json": "{}",
    "runs/broken.json": '{"a":1,"a":2}',
    "runs/left.log": "x",
  };
  expect(problems(files).map(({ code, message }) => [code, message.replace(/: .*/, "")])).toEqual([
    ["data_invalid", "POLICY"],
    ["data_invalid", "the input n is not an integer"],
    ["data_invalid", "there is no input m; did you mean n?"],
    ["data_invalid", "there is no workflow workflow.tset"],
    ["data_invalid", "PRESET"],
    ["data_invalid", expect.stringContaining("duplicate key") as unknown as string],
    ["data_invalid", "only schemas and examples stand here"],
  ]);
});

test("one file is checked against the whole project, and a broken file hides no other", () => {
  const files = {
    "nodes/upper.ts": UPPER,
    "nodes/broken.ts": "export const META = {",
    "workflows/w.ts": workflowText('.step("a", "node.upper")'),
  };
  expect(problems(files).map(({ code }) => code)).toEqual(["asset_syntax", "port_missing"]);
  expect(problems(files, "lightflow/workflows").map(({ code }) => code)).toEqual(["port_missing"]);
});

test("nothing of a hostile file is run", () => {
  using project = new TestProject();
  const planted = join(project.root, "planted");
  const act = `require("node:fs").writeFileSync(${JSON.stringify(planted)}, "x");\n`;
  project.write(
    "nodes/a.ts",
    `${act}${component("node", "node.a", ".code()", `export function run() { ${act} }\n${act}`)}`,
  );
  project.write(
    "presets/p.ts",
    `${act}export const PRESET = { workflow: (() => { ${act} return "a"; })(), inputs: {} };`,
  );
  project.write("policies/p.ts", `${act}export const POLICY = { get network() { ${act} return "open"; } };`);
  expect(checkProject(project.root).diagnostics.map(({ code }) => code)).toEqual([
    "value_not_static",
    "value_not_static",
  ]);
  expect(existsSync(planted)).toBe(false);
});
