import { expect, test } from "bun:test";
import { Drive } from "../../../test/support/engine-drive.ts";
import { Failure } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { findWorkflow } from "../index.ts";
import { assetText, TestProject, workflowText } from "../testing.ts";

const component = (kind: string, id: string, chain: string, rest = "") =>
  assetText(kind, id, `export const define = () => ${kind}(META.id)${chain};\n${rest}`);

const UPPER = component(
  "node",
  "node.upper",
  `.input("text", { type: "string", required: true }).input("mark", { type: "string", default: "!" })
   .output("text", { type: "string", required: true }).value({ text: "\${ (.inputs.text | ascii_upcase) + .inputs.mark }" })`,
);
const COUNT = component(
  "node",
  "node.count",
  `.input("text", { type: "string" }).output("count", { type: "integer", required: true })
   .command({ command: "wc", arguments: ["\${ .inputs.text }"], output: "json" })
   .result({ count: "\${ .output.n + (.inputs.text | length) }" })`,
);

function found(chain: string, files: Record<string, string> = {}) {
  using project = new TestProject();
  for (const [path, text] of Object.entries(files)) project.write(path, text);
  project.write("workflows/w.ts", workflowText(chain));
  return findWorkflow(project.root, "workflow.test");
}
const drive = (chain: string, input: Json = null, files: Record<string, string> = {}) =>
  new Drive(found(chain, files).document as unknown as JsonObject, input);

const NODES = { "nodes/upper.ts": UPPER, "nodes/count.ts": COUNT };
const command = (more = "") => `{ command: "true", workspace: "ephemeral", output: "json"${more} }`;

test("steps that need nothing of each other run at once, and the one that reads them waits", () => {
  const run = drive(
    `.input("n", { type: "integer", default: 2 })
     .commandStep("a", ${command(', arguments: ["${ .inputs.n }"]')})
     .commandStep("b", ${command()})
     .set("sum", { sum: "\${ .steps.a.output + .steps.b.output + .inputs.n }" })
     .output({ sum: "\${ .steps.sum.output.sum }" })`,
    {},
  );
  expect(run.effects.map((effect) => (effect.kind === "run" ? effect.step_id : effect.kind))).toEqual([
    "a",
    "b",
  ]);
  expect(run.effect("run", 0).request.arguments).toEqual(["2"]);
  // The second ends first; neither result is lost.
  run.succeed({ exitCode: 0, output: 5 }, 1).succeed({ exitCode: 0, output: 7 }, 0);
  expect(run.expectFold().instance).toMatchObject({ status: "completed", output: { sum: 14 } });
});

test("commands that share the run's workspace go one after the other, and an assertion holds back what follows", () => {
  const { plan } = found(
    `.commandStep("a", { command: "true" }).commandStep("b", { command: "true" })
     .assertStep("sound", { that: "\${ true }", message: "m" }).set("c", { x: 1 }).commandStep("d", ${command()})`,
  );
  expect(plan.steps.map(({ id, needs }) => [id, [...needs]])).toEqual([
    ["a", []],
    ["b", ["a"]],
    ["sound", []],
    ["c", ["sound"]],
    ["d", ["sound"]],
  ]);
});

test("what a step reads of its scope decides what it needs, through pipes, bindings and texts", () => {
  const { plan } = found(
    `.set("a", { x: 1 }).set("b", { x: 2 }).set("c", { x: 3 })
     .set("binds", { v: "\${ .steps.a.output as $a | .steps.b.output.x + $a.x }" })
     .set("pipes", { v: "\${ .steps.a.output | .steps.b }" })
     .set("text", { v: '\${ "x \\\\(.steps.c.output.x)" }' })
     .set("all", { v: "\${ .steps | keys }" })
     .set("said", { v: 1 }, { needs: ["b"] })`,
  );
  const needs = Object.fromEntries(plan.steps.map((step) => [step.id, [...step.needs]]));
  expect(needs).toMatchObject({ binds: ["a", "b"], pipes: ["a"], text: ["c"], said: ["b"] });
  expect(needs["all"]).toEqual(["a", "b", "c", "binds", "pipes", "text"]);
});

test("a node lends its behaviour, its defaults and the shape of its result", () => {
  const run = drive(
    `.step("up", "node.upper", { inputs: { text: "abc" } })
     .step("n", "node.count", { inputs: { text: "\${ .steps.up.output.text }" } })
     .output({ n: "\${ .steps.n.output.count }", code: "\${ .steps.n.exitCode }" })`,
    null,
    NODES,
  );
  expect(run.effect("run").request).toMatchObject({ command: "wc", arguments: ["ABC!"] });
  run.succeed({ exitCode: 0, output: { n: 10 }, artifacts: [], summary: "" });
  expect(run.instance).toMatchObject({ status: "completed", output: { n: 14, code: 0 } });
});

test("what a node gives must have the shape of its ports", () => {
  const wrong = component(
    "node",
    "node.wrong",
    `.output("n", { type: "integer", required: true }).value({ n: "\${ .inputs.x }" })`,
  );
  const run = drive(`.step("w", "node.wrong", { inputs: { x: "text" } })`, null, { "nodes/w.ts": wrong });
  expect(run.instance).toMatchObject({ status: "faulted" });
  expect(run.instance.error?.detail).toContain("/n");
});

test("map runs a step for each item, so many at a time, and keeps the order", () => {
  const run = drive(
    `.step("n", "node.count", { map: { over: "\${ .inputs.words }", concurrency: 2 }, inputs: { text: "\${ .item }" } })
     .output({ counts: "\${ [.steps.n.output[].count] }" })`,
    { words: ["a", "bb", "ccc"] },
    NODES,
  );
  const started = () => run.effects.filter((effect) => effect.kind === "run").length;
  expect(started()).toBe(2);
  run.succeed({ exitCode: 0, output: { n: 0 }, artifacts: [] }, 1);
  expect(started()).toBe(3);
  run.succeed({ exitCode: 0, output: { n: 0 }, artifacts: [] }, 2);
  run.succeed({ exitCode: 0, output: { n: 0 }, artifacts: [] }, 0);
  expect(run.expectFold().instance).toMatchObject({ status: "completed", output: { counts: [1, 2, 3] } });
});

test("a map over nothing gives an empty list", () => {
  const run = drive(
    `.step("n", "node.count", { map: { over: "\${ [] }" }, inputs: { text: "\${ .item }" } }).output({ n: "\${ .steps.n.output }" })`,
    null,
    NODES,
  );
  expect(run.instance).toMatchObject({ status: "completed", output: { n: [] } });
});

test("while goes on as long as it holds, and never past its limit", () => {
  const chain = (limit: number) =>
    `.step("up", "node.upper", {
       while: { that: "\${ (.steps.up.output.text // \\"\\") | length < 5 }", limit: ${limit} },
       inputs: { text: "\${ (.steps.up.output.text // \\"a\\") }" } }).output({ text: "\${ .steps.up.output.text }" })`;
  expect(drive(chain(10), null, NODES).instance.output).toEqual({ text: "A!!!!" });
  expect(drive(chain(2), null, NODES).instance.output).toEqual({ text: "A!!" });
});

test("a step is tried again as often as it says", () => {
  const run = drive(
    `.commandStep("a", ${command(', retry: { attempts: 2, delay: "PT1S", backoff: "exponential" }')})`,
  );
  const failed = () =>
    run.put({
      kind: "effect_failed",
      effect: run.effect("run").id,
      error: { type: "https://serverlessworkflow.io/spec/1.0.0/errors/runtime", status: 500 },
    });
  failed();
  expect(run.effect("timer").due_at).toBe(2_000);
  run.fire();
  failed();
  expect(run.effect("timer").due_at).toBe(4_000);
  run.fire();
  failed();
  expect(run.instance.status).toBe("faulted");
  expect(run.effects.filter((effect) => effect.kind === "run")).toHaveLength(3);
});

const SHOUT = component(
  "composition",
  "composition.shout",
  `.input("text", { type: "string", required: true }).output("text", { type: "string", required: true })
   .step("one", "node.upper", { inputs: { text: "\${ .inputs.text }" } })
   .step("two", "node.upper", { inputs: { text: "\${ .steps.one.output.text }", mark: "?" } })
   .result({ text: "\${ .steps.two.output.text }" })`,
);

test("a composition is expanded under its own id, with ports of its own", () => {
  const files = {
    ...NODES,
    "compositions/shout.ts": SHOUT,
    "compositions/twice.ts": component(
      "composition",
      "composition.twice",
      `.input("text", { type: "string" }).output("text", { type: "string" })
       .step("inner", "composition.shout", { inputs: { text: "\${ .inputs.text }" } })
       .result({ text: "\${ .steps.inner.output.text }" })`,
    ),
  };
  const chain = `.input("word", { type: "string" })
    .step("s", "composition.twice", { inputs: { text: "\${ .inputs.word }" } })
    .output({ said: "\${ .steps.s.output.text }" })`;
  const { plan, document } = found(chain, files);
  expect(plan.steps.map(({ id, parents, asset }) => [id, parents, asset])).toEqual([
    ["s.inner.one", ["s", "s.inner"], "node.upper"],
    ["s.inner.two", ["s", "s.inner"], "node.upper"],
    ["s.inner", ["s"], "composition.shout"],
    ["s", [], "composition.twice"],
  ]);
  const run = new Drive(document as unknown as JsonObject, { word: "hi" });
  expect(run.instance).toMatchObject({ status: "completed", output: { said: "HI!?" } });
});

test("the condition of a composition holds for all of its steps", () => {
  const run = drive(
    `.step("s", "composition.shout", { if: "\${ .inputs.loud }", inputs: { text: "x" } })
     .output({ said: "\${ .steps.s.output.text }" })`,
    { loud: false },
    { ...NODES, "compositions/shout.ts": SHOUT },
  );
  expect(run.instance).toMatchObject({ status: "completed", output: { said: null } });
  expect(run.steps).toEqual([]);
});

test("a composition that uses itself, a missing node and a node that does nothing are refused by name", () => {
  const refusal = (chain: string, files: Record<string, string> = {}) => {
    try {
      found(chain, files);
    } catch (error) {
      if (error instanceof Failure) return error.message;
    }
    return "accepted";
  };
  const self = component("composition", "composition.self", `.step("a", "composition.self", {})`);
  expect(refusal('.step("a", "composition.self")', { "compositions/s.ts": self })).toContain("uses itself");
  expect(refusal('.step("a", "node.none")')).toContain(
    "workflow workflow.test step a references missing node or composition asset node.none",
  );
  expect(refusal('.step("a", "node.idle")', { "nodes/i.ts": component("node", "node.idle", "") })).toContain(
    "has no behaviour",
  );
});

test("missing models and labels keep a plan from running, not from being shown", () => {
  const { issues } = found(
    `.requiredModel("llm.none").apiStep("a", "node.none", "openai.chat").openaiChatInput("llm.other", "prompt")`,
  );
  expect(issues.map(({ message }) => message)).toEqual([
    "workflow workflow.test step a references missing node or composition asset node.none",
    "request template model alias llm.other is not listed in required_models",
    "workflow workflow.test requires missing model asset llm.none",
  ]);
});

test("units of a resource are never held twice, and priority decides who has them first", () => {
  const run = drive(
    `.resource("gpu", { capacity: 1, pool: "gpus" })
     .commandStep("low", ${command(", resources: { gpu: 1 }, priority: -1")})
     .commandStep("high", ${command(", resources: { gpu: 1 }, priority: 5")})
     .commandStep("free", ${command()})`,
  );
  const started = () => run.effects.flatMap((effect) => (effect.kind === "run" ? [effect.step_id] : []));
  expect(started()).toEqual(["high", "free"]);
  expect(run.effect("run", 0).request.light).toMatchObject({
    priority: 5,
    runner: { runnerPool: "gpus" },
    concurrency: { key: "resource/gpu", limit: 1 },
  });
  run.succeed({ exitCode: 0, output: null }, 0);
  expect(started()).toEqual(["high", "free", "low"]);
});

test("a step of several resources holds them all together, over all runs", () => {
  const run = drive(
    `.resource("gpu", { capacity: 4 }).resource("license", { capacity: 1 })
     .commandStep("both", ${command(", resources: { gpu: 2, license: 1 }")})`,
  );
  expect(run.effect("run", 0).request.light["concurrency"]).toEqual([
    { key: "resource/gpu", limit: 2 },
    { key: "resource/license", limit: 1 },
  ]);
});

test("each API format has its request, with the model that the asset names", () => {
  const model = component(
    "model",
    "llm.m",
    `.candidate({ model: "small", format: "openai.chat" }).candidate({ model: "big" })`,
  );
  const bodyOf = (format: string, method: string) => {
    const { document } = found(
      `.requiredModel("llm.m").apiStep("a", "node.upper", "${format}").${method}("llm.m", "prompt")`,
      { ...NODES, "models/m.ts": model },
    );
    return (document.do[0] as unknown as { a: { with: { body: Json } } }).a.with.body;
  };
  const text = '${ .inputs["prompt"] }';
  expect(bodyOf("openai.chat", "openaiChatInput")).toEqual({
    model: "small",
    messages: [{ role: "user", content: text }],
  });
  expect(bodyOf("openai.responses", "openaiResponsesInput")).toEqual({ model: "big", input: text });
  expect(bodyOf("anthropic.messages", "anthropic_messages_input")).toEqual({
    model: "big",
    max_tokens: 4096,
    messages: [{ role: "user", content: text }],
  });
  expect(bodyOf("google.generate_content", "googleGenerateContentInput")).toEqual({
    model: "big",
    contents: [{ role: "user", parts: [{ text }] }],
  });
});
