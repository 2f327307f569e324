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

/** Whether the event that a document emits says that its data may be private. */
const emitted = (drive: Drive): Json | undefined => drive.effect("emit").event["lightflowprivate"];
const emit = (data: Json = "${ . }"): JsonObject => ({
  emit: { event: { with: { type: "made", source: "here", data } } },
});

test("an event with private data says so, and cannot be made to say that it has none", () => {
  const after = (data: Json) =>
    emitted(new Drive([{ build }, { tell: emit(data) }] as Json[]).succeed(RECORD));
  expect(after("${ .stdout }")).toBe(true);
  expect(after("a constant")).toBeUndefined();
  expect(after("${ $workflow.input.x }")).toBeUndefined();
  const denies = emit();
  ((denies["emit"] as JsonObject)["event"] as { with: JsonObject }).with["lightflowprivate"] = false;
  expect(emitted(new Drive([{ build }, { tell: denies }] as Json[]).succeed(RECORD))).toBe(true);
  expect(emitted(new Drive([{ tell: emit() }] as Json[], {}))).toBeUndefined();
});

test("what consumes a private event is private, and so is all that comes after it", () => {
  const tasks = [{ hear: { listen: { to: { one: { with: { type: "made" } } } } } }, { ask: ask() }] as Json[];
  const heard = (more: JsonObject) => {
    const drive = new Drive(tasks);
    const event = { type: "made", source: "s", id: "1", data: "x", ...more };
    return drive.put({ kind: "event", effect: drive.effect("listen").id, event }).effect("call").request
      .private;
  };
  expect(heard({})).toBe(false);
  expect(heard({ lightflowprivate: true })).toBe(true);
  // As a header of a CloudEvent in binary mode gives it.
  expect(heard({ lightflowprivate: "true" })).toBe(true);
  expect(heard({ lightflowprivate: false })).toBe(false);
});

test("each iteration over private events is private, and so is the context that it exports", () => {
  const loop = {
    item: "e",
    do: [{ note: { set: { a: "${ $e }" } } }],
    export: { as: "${ . }" },
  };
  const both = [
    {
      both: {
        fork: {
          branches: [
            { hears: { listen: { to: { one: { with: { type: "made" } } } }, foreach: loop } as Json },
            { other: { do: [{ pause: { wait: { seconds: 1 } } }, { ask: ask("${ $context }") }] } },
          ],
        },
      },
    },
  ] as Json[];
  const drive = new Drive(both);
  const event = { type: "made", source: "s", id: "1", data: "x", lightflowprivate: true };
  drive.put({ kind: "event", effect: drive.effect("listen").id, event }).fire(0);
  expect(drive.effect("call").request.private).toBe(true);
});

test("an answer is as private as what its question showed", () => {
  const question = (prompt: string) =>
    [
      {
        both: {
          fork: {
            branches: [
              {
                one: {
                  do: [
                    { build: { ...build, export: { as: "${ {log: .stdout} }" } } },
                    { w: { wait: { days: 1 } } },
                  ],
                },
              },
              {
                other: {
                  do: [
                    { pause: { wait: { seconds: 1 } } },
                    { person: { ask: { prompt } } },
                    { ask: ask("${ . }") },
                  ],
                },
              },
            ],
          },
        },
      },
    ] as Json[];
  const answered = (prompt: string) => {
    const drive = new Drive(question(prompt)).succeed(RECORD).fire(0);
    const { id } = drive.effect("ask");
    return drive.put({ kind: "effect_succeeded", effect: id, output: "yes" }).effect("call").request.private;
  };
  expect(answered("${ $context.log }")).toBe(true);
  expect(answered("Shall it go on?")).toBe(false);
  // In its own list the mark was there before the question.
  const plain = new Drive([{ build }, { person: { ask: { prompt: "ok?" } } }, { ask: ask() }] as Json[]);
  const { id } = plain.succeed(RECORD).effect("ask");
  plain.put({ kind: "effect_succeeded", effect: id, output: "yes" });
  expect(plain.effect("call").request.private).toBe(true);
});

test("no task takes the mark off by handing the context on", () => {
  for (const hand of [
    { hand: { set: { x: "${ $context.log }" } } },
    { hand: { set: { x: 1 }, output: { as: "${ $context.log }" } } },
    { hand: { do: [{ inner: { set: { x: "${ $context.log }" } } }] } },
    { hand: { for: { in: "${ [$context.log] }" }, do: [{ inner: { set: { x: 1 } } }] } },
    // Members that are called like lists of tasks, and are none.
    { hand: { input: { from: { branches: "${ $context.log }" } }, do: [{ inner: { set: { x: 1 } } }] } },
    {
      hand: {
        input: { from: { try: ["${ $context.log }"] } },
        try: [{ inner: { set: { x: 1 } } }],
        catch: {},
      },
    },
  ] as JsonObject[]) {
    const exporting = { ...build, export: { as: "${ {log: .stdout} }" } };
    const drive = new Drive([
      {
        both: {
          fork: {
            branches: [
              { one: { do: [{ build: exporting }, { w: { wait: { days: 1 } } }] } },
              { other: { do: [{ pause: { wait: { seconds: 1 } } }, hand, { ask: ask("${ . }") }] } },
            ],
          },
        },
      },
    ] as Json[]);
    expect({ hand, private: drive.succeed(RECORD).fire(0).effect("call").request.private }).toEqual({
      hand,
      private: true,
    });
  }
});
