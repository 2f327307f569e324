import { expect, test } from "bun:test";
import { Drive } from "../../test/support/engine-drive.ts";
import type { Json, JsonObject } from "../base/json.ts";
import { checkProject, findWorkflow } from "./index.ts";
import { TestProject, workflowText } from "./testing.ts";

/** A workflow of one step that uses a node, driven to its first effect or its end. */
function drive(node: string, inputs: JsonObject): Drive {
  using project = new TestProject();
  const chain = `.step("s", "${node}", { inputs: ${JSON.stringify(inputs)} }).output("\${ .steps.s.output }")`;
  project.write("workflows/w.ts", workflowText(chain));
  const { document } = findWorkflow(project.root, "workflow.test");
  return new Drive(document as unknown as JsonObject);
}
const output = (node: string, inputs: JsonObject): Json => {
  const { instance } = drive(node, inputs);
  expect(instance.error).toBeUndefined();
  return instance.output;
};

test("every asset that the executable carries passes the check", () => {
  using project = new TestProject();
  expect(checkProject(project.root).diagnostics).toEqual([]);
});

test("the text nodes", () => {
  const values = { name: "Ada", n: 3 };
  expect(output("text.template", { template: "Hi {name}, {n} of {none}{", values })).toEqual({
    text: "Hi Ada, 3 of {",
  });
  expect(output("text.concat", { parts: ["a", 1, true], separator: "-" })).toEqual({ text: "a-1-true" });
  expect(output("text.regex", { text: "a1b22", pattern: "([0-9])+", replacement: "#" })).toEqual({
    text: "a#b#",
    matches: [
      { text: "1", at: 1, groups: ["1"] },
      { text: "22", at: 3, groups: ["2"] },
    ],
  });
  const fenced = 'Here:\n```json\n{"a": [1, {"b": 2}]}\n```\nDone.';
  expect(output("text.json_extract", { text: fenced, path: ["a", 1, "b"] })).toEqual({ value: 2 });
  expect(output("text.json_extract", { text: "[1]" })).toEqual({ value: [1] });
});

test("the control nodes", () => {
  expect(output("control.if", { condition: false, then: 1, otherwise: 2 })).toEqual({ value: 2 });
  expect(output("control.merge", { values: [null, { a: 1 }, { b: 2 }] })).toEqual({ value: { a: 1, b: 2 } });
  expect(output("control.merge", { values: [null, "x", "y"] })).toEqual({ value: "x" });
  const items = [
    { a: 1, b: 2 },
    { a: 3, b: 4 },
  ];
  expect(output("control.map", { items, pick: ["a"] })).toEqual({ items: [1, 3] });
  expect(output("control.map", { items, pick: ["b", "a"] })).toEqual({
    items: [
      { b: 2, a: 1 },
      { b: 4, a: 3 },
    ],
  });
  expect(output("control.map", { items, template: "{a}/{b}" })).toEqual({ items: ["1/2", "3/4"] });
});

/** What a node asks of `/ctx`, and what it makes of an answer. */
function asked(node: string, inputs: JsonObject, answer: string) {
  const run = drive(node, inputs);
  const { request } = run.effect("call");
  const reply = { choices: [{ message: { role: "assistant", content: answer } }] };
  run.put({ kind: "effect_succeeded", effect: run.effect("call").id, output: reply });
  expect(run.instance.error).toBeUndefined();
  return { body: (request.with as { body: JsonObject }).body, output: run.instance.output };
}

test("the language model nodes", () => {
  const prompt = asked("llm.prompt", { prompt: "Why?", system: "Be short." }, "Because.");
  expect(prompt.body).toEqual({
    model: "demo",
    messages: [
      { role: "system", content: "Be short." },
      { role: "user", content: "Why?" },
    ],
  });
  expect(prompt.output).toEqual({ text: "Because." });
  const labels = ["Spam", "ham"];
  expect(asked("llm.classify", { text: "x", labels }, "It is spam.").output).toEqual({
    answer: "It is spam.",
    label: "Spam",
  });
  expect(asked("llm.classify", { text: "x", labels }, "no idea").output).toMatchObject({ label: null });
  const schema = { type: "object" };
  const structured = (answer: string) =>
    asked("llm.structured_output", { prompt: "p", schema }, answer).output;
  expect(structured('```json\n{"a":1}\n```')).toMatchObject({ value: { a: 1 } });
  expect(structured("sorry")).toMatchObject({ value: null, text: "sorry" });
});
