import { expect, test } from "bun:test";
import { Drive } from "../../test/support/engine-drive.ts";
import type { Json, JsonObject } from "../base/json.ts";
import { advance, Definition, type EngineInput, type Instance, newInstance } from "./index.ts";

const RECORD = {
  exitCode: 0,
  output: null,
  stdout: "secret of the tenant",
  artifacts: [],
  summary: "",
  durationMs: 1,
};
const build = { run: { shell: { command: "build" }, return: "all" } };
const ask = (given: Json = "${ . }"): JsonObject => ({ call: "agent", with: { agent: "a", input: given } });
/** Whether the agent's call was marked, after the one command of the document gave its output. */
const marked = (tasks: JsonObject[], input: Json = {}): boolean | undefined =>
  new Drive(tasks as Json[], input).succeed(RECORD).expectFold().effect("call").request.private;

test("what comes after a command reads what is private, however it was shaped in between", () => {
  for (const between of [
    [],
    [{ note: { set: { a: "${ .stdout }" } } }],
    [{ wrapped: { do: [{ note: { set: { a: 1 } } }] } }],
    [{ each: { for: { in: "${ [1] }" }, do: [{ note: { set: { a: 1 } } }] } }],
  ] as JsonObject[][]) {
    expect(marked([{ build }, ...between, { ask: ask() }])).toBe(true);
    expect(marked([{ outer: { do: [{ build }] } }, ...between, { ask: ask("${ $task.input }") }])).toBe(true);
  }
});

test("the context is private once something private was exported, also for a branch that began before", () => {
  const exporting = { ...build, export: { as: "${ {log: .stdout} }" } };
  const branches = (given: Json): JsonObject[] => [
    {
      both: {
        fork: {
          branches: [
            { one: { do: [{ build: exporting }, { wait: { wait: { days: 1 } } }] } },
            { other: { do: [{ pause: { wait: { seconds: 1 } } }, { ask: ask(given) }] } },
          ],
        },
      },
    },
  ];
  const after = (given: Json): boolean | undefined => {
    const drive = new Drive(branches(given) as Json[], {});
    return drive.succeed(RECORD).fire(0).effect("call").request.private;
  };
  expect(after("${ $context.log }")).toBe(true);
  expect(after("${ . }")).toBe(false);
});

test("the error of a command is private to its tenant too", () => {
  const drive = new Drive([
    {
      guarded: {
        try: [{ build }],
        catch: { as: "e", do: [{ ask: ask("${ $e.detail }") }] },
      },
    },
  ] as Json[]);
  const error = { type: "x", status: 500, detail: "what stderr said" };
  drive.put({ kind: "effect_failed", effect: drive.effect("run").id, error });
  expect(drive.effect("call").request.private).toBe(true);
});

test("what reads the workflow's input alone, or nothing, is not; nor is what came before any command", () => {
  expect(marked([{ build }, { ask: ask("${ $workflow.input.text }") }])).toBe(false);
  expect(marked([{ build }, { ask: ask("a constant") }])).toBe(false);
  // Looks like the input alone, and is more than that.
  expect(marked([{ build }, { ask: ask("${ [$workflow.input.text, .] }") }])).toBe(true);
  const before = new Drive([{ ask: ask() }] as Json[], { text: "x" });
  expect(before.effect("call").request.private).toBe(false);
});

test("what an agent makes of private data is private, and so is what it says is private", () => {
  const drive = new Drive([{ one: ask() }, { two: ask() }] as Json[], {});
  const first = drive.effect("call").id;
  drive.put({ kind: "effect_succeeded", effect: first, output: "x", private: true });
  expect(drive.effect("call").request.private).toBe(true);
});

test("a workflow that is run with something private begins with it", () => {
  const child = { run: { workflow: { namespace: "t", name: "c", version: "1.0.0", input: "${ . }" } } };
  const drive = new Drive([{ build }, { child }] as Json[], {}).succeed(RECORD);
  expect(drive.effect("workflow").private).toBe(true);
  const document = { document: { dsl: "1.0.3", namespace: "t", name: "c", version: "1.0.0" } };
  const definition = new Definition({ ...document, do: [{ ask: ask("${ $workflow.input.x }") }] }, "d");
  const instance: Instance = { ...newInstance("i", "r", 1), private_input: true };
  const started = advance(definition, instance, { kind: "start", input: { x: 1 } } satisfies EngineInput, 1);
  expect(started.effects).toMatchObject([{ kind: "call", request: { private: true } }]);
});
