import { expect, test } from "bun:test";
import { Drive, shell } from "../../test/support/engine-drive.ts";
import type { Json, JsonObject } from "../base/json.ts";

const record = (more: JsonObject = {}): JsonObject => ({
  exitCode: 0,
  output: null,
  artifacts: [],
  summary: "",
  stdout: "out",
  ...more,
});

test("tasks run one after another, each on the output of the one before", () => {
  const drive = new Drive([{ a: { set: { n: "${ .n + 1 }" } } }, { b: { set: { n: "${ .n * 10 }" } } }], {
    n: 1,
  });
  expect(drive.instance).toMatchObject({ status: "completed", output: { n: 20 }, frames: {} });
  expect(drive.steps).toEqual(["a", "b"]);
  drive.expectFold();
});

test("a false `if` skips a task and hands its raw input on", () => {
  const drive = new Drive([{ a: { if: "${ .go }", set: { n: 1 } } }], { go: false });
  expect(drive.instance.output).toEqual({ go: false });
  expect(drive.transitions.some(({ event }) => event === "step.skipped")).toBe(true);
});

test("input.from, output.as and export.as apply in their order, and $context is what was exported", () => {
  const drive = new Drive(
    [
      {
        a: {
          input: { from: "${ .inner }" },
          set: { seen: "${ .x }", raw: "${ $task.input.inner.x }" },
          output: { as: "${ . + {shaped: true} }" },
          export: { as: "${ {kept: .seen} }" },
        },
      },
      { b: { set: "${ {context: $context, input: .} }" } },
    ],
    { inner: { x: 7 } },
  );
  expect(drive.instance.output).toEqual({ context: { kept: 7 }, input: { seen: 7, raw: 7, shaped: true } });
});

test("switch takes the first case that matches, else the default, else its own then", () => {
  const document = (value: number): Drive =>
    new Drive(
      [
        { s: { switch: [{ big: { when: ".n > 10", then: "large" } }, { other: { then: "small" } }] } },
        { large: { set: { is: "large" }, then: "end" } },
        { small: { set: { is: "small" } } },
      ],
      { n: value },
    );
  expect(document(11).instance.output).toEqual({ is: "large" });
  expect(document(1).instance.output).toEqual({ is: "small" });
  const none = new Drive(
    [{ s: { switch: [{ never: { when: "false", then: "x" } }], then: "end" } }, { x: { set: 1 } }],
    5,
  );
  expect(none.instance.output).toBe(5);
});

test("a backward `then` enters a task again as another visit", () => {
  const drive = new Drive(
    [
      { count: { set: { n: "${ .n + 1 }" } } },
      { again: { switch: [{ more: { when: ".n < 3", then: "count" } }] } },
    ],
    { n: 0 },
  );
  expect(drive.instance.output).toEqual({ n: 3 });
  const references = drive.transitions
    .filter(({ event }) => event === "step.started")
    .map(({ reference }) => reference);
  expect(references).toContain("/do/0/count#3");
  drive.expectFold();
});

test("a loop that never ends gives way to the next commit and can be cancelled", () => {
  const drive = new Drive([{ spin: { set: "${ . }", then: "spin" } }], 1);
  expect(drive.instance.status).toBe("waiting");
  const first = drive.effect("continue");
  drive.put({ kind: "continue", effect: first.id });
  expect(drive.effect("continue").id).not.toBe(first.id);
  drive.put({ kind: "cancel", reason: "enough" });
  expect(drive.instance.status).toBe("cancelled");
});

test("assert passes its input on, or fails with its message and what it saw", () => {
  expect(new Drive([{ a: { assert: { that: ".n == 1" } } }], { n: 1 }).instance.output).toEqual({ n: 1 });
  const failed = new Drive([{ a: { assert: { that: ".n == 1", message: "n is wrong" } } }], { n: 2 })
    .instance;
  expect(failed).toMatchObject({ status: "faulted", error: { status: 422, instance: "/do/0/a" } });
  expect(failed.error!.detail).toContain("n is wrong");
  for (const [assertion, holds] of [
    [{ value: "${ .n }", equals: 2 }, true],
    [{ value: "${ .n }", equals: 3 }, false],
    [{ value: "${ .list }", contains: "b" }, true],
    [{ value: "${ .list }", contains: "z" }, false],
    [{ value: "${ .text }", matches: "^v[0-9]+$" }, true],
    [{ value: "${ .text }", matches: "^x" }, false],
    [{ value: "${ .none }", exists: false }, true],
    [{ value: "${ .n }", exists: false }, false],
    [{ value: "${ . }", json: { ".list[1]": { equals: "b" } } }, true],
    [{ value: "${ . }", json: { ".list[1]": { equals: "a" } } }, false],
    [{ value: "${ .n }", schema: { document: { type: "integer", maximum: 2 } } }, true],
    [{ value: "${ .n }", schema: { document: { type: "integer", maximum: 1 } } }, false],
  ] as [JsonObject, boolean][]) {
    const { status } = new Drive([{ a: { assert: assertion } }], { n: 2, list: ["a", "b"], text: "v12" })
      .instance;
    expect([JSON.stringify(assertion), status]).toEqual([
      JSON.stringify(assertion),
      holds ? "completed" : "faulted",
    ]);
  }
});

test("run.shell asks a runner, with every expression evaluated into argv and environment", () => {
  const drive = new Drive(
    [
      {
        a: shell({
          arguments: ["-x", "${ .name }", 3, "literal ; rm -rf /"],
          environment: { WHO: "${ .name }" },
          stdin: "${ .name }",
        }),
      },
    ],
    { name: "$(id)" },
  );
  const effect = drive.effect("run");
  expect(effect.request).toMatchObject({
    command: "true",
    arguments: ["-x", "$(id)", "3", "literal ; rm -rf /"],
    environment: { WHO: "$(id)" },
    stdin: "$(id)",
  });
  expect(drive.instance.status).toBe("waiting");
  drive.succeed(record());
  expect(drive.instance).toMatchObject({ status: "completed", output: "out" });
  drive.expectFold();
});

test("an expression inside the command is refused: it would become program text", () => {
  expect(
    new Drive([{ a: { run: { shell: { command: "${ .cmd }" } } } }], { cmd: "rm" }).instance.error,
  ).toMatchObject({
    status: 400,
    detail: expect.stringContaining("must be a literal"),
  });
});

test("nobody waits for a command with `await: false`, and its result changes nothing", () => {
  const drive = new Drive([{ a: { run: { await: false, shell: { command: "true" } } } }], { n: 1 });
  expect(drive.instance).toMatchObject({ status: "completed", output: { n: 1 } });
  const { snapshot } = drive;
  expect(drive.succeed(record()).snapshot).toBe(snapshot);
});

test("a command of several words is shell text, and its arguments stay arguments", () => {
  const drive = new Drive([{ a: shell({ command: 'echo "$1" | wc', arguments: ["${ .x }"] }) }], {
    x: "$(id)",
  });
  expect(drive.effect("run").request).toMatchObject({
    command: "sh",
    arguments: ["-c", 'echo "$1" | wc', "sh", "$(id)"],
  });
});

test("what run returns is what the document asks for", () => {
  const cases: [string | undefined, Json][] = [
    [undefined, "out"],
    ["stderr", "err"],
    ["code", 0],
    ["none", null],
    ["all", { stdout: "out", stderr: "err", code: 0 }],
  ];
  for (const [what, expected] of cases) {
    const run: JsonObject = { shell: { command: "true" }, ...(what === undefined ? {} : { return: what }) };
    expect(new Drive([{ a: { run } }]).succeed(record({ stderr: "err" })).instance.output).toEqual(expected);
  }
});

const failure = (drive: Drive, code: number): Drive =>
  drive.put({
    kind: "effect_failed",
    effect: drive.effect("run").id,
    error: {
      type: "https://serverlessworkflow.io/spec/1.0.0/errors/runtime",
      status: 500,
      title: "Command failed",
      detail: "exit 3",
    },
    record: record({ exitCode: code }),
  });

test("a command that failed faults its task; where the code is asked for it is a value", () => {
  expect(failure(new Drive([{ a: shell() }]), 3).instance).toMatchObject({
    status: "faulted",
    error: { status: 500, instance: "/do/0/a", detail: "exit 3" },
  });
  const run = { shell: { command: "true" }, return: "code" };
  expect(failure(new Drive([{ a: { run } }]), 3).instance).toMatchObject({ status: "completed", output: 3 });
});

test("a result that nobody waits for any more changes nothing", () => {
  const drive = new Drive([{ a: shell() }]);
  drive.put({ kind: "cancel", reason: "stop" });
  const before = drive.snapshot;
  drive.succeed(record());
  expect(drive.snapshot).toBe(before);
});

test("cancel takes back every effect that is waited for", () => {
  const drive = new Drive([{ f: { fork: { branches: [{ a: shell() }, { b: { wait: "PT10S" } }] } } }]);
  drive.put({ kind: "cancel", reason: "stop" });
  const cancelled = drive.effects.filter(({ kind }) => kind === "cancel").map(({ id }) => id);
  expect(cancelled.sort()).toEqual([drive.effect("run").id, drive.effect("timer").id].sort());
  expect(drive.instance).toMatchObject({ status: "cancelled", frames: {} });
});

test("wait is a timer that hands its input on", () => {
  const drive = new Drive([{ w: { wait: { seconds: 2 } } }, { s: { set: { at: "${ .n }" } } }], { n: 1 });
  expect(drive.effect("timer").due_at).toBe(3_000);
  drive.fire();
  expect(drive.instance).toMatchObject({ status: "completed", output: { at: 1 } });
  drive.expectFold();
});

test("for threads the output through its iterations and gives item and index", () => {
  const drive = new Drive(
    [
      {
        each: {
          for: { each: "color", at: "n", in: "${ .colors }" },
          do: [
            { add: { set: { colors: "${ .colors }", seen: '${ (.seen // []) + ["\\($n)\\($color)"] }' } } },
          ],
        },
      },
    ],
    { colors: ["red", "blue"] },
  );
  expect(drive.instance.output).toMatchObject({ seen: ["0red", "1blue"] });
});

test("for stops when `while` is false, runs nothing on an empty list, and refuses what is no list", () => {
  const loop = (input: Json, more: JsonObject = {}): Drive =>
    new Drive(
      [
        {
          each: {
            for: { in: "${ .items }" },
            ...more,
            do: [{ add: { set: { items: "${ .items }", n: "${ (.n // 0) + 1 }" } } }],
          },
        },
      ],
      input,
    );
  expect(loop({ items: [1, 2, 3] }, { while: "(.n // 0) < 2" }).instance.output).toMatchObject({ n: 2 });
  expect(loop({ items: [] }).instance.output).toEqual({ items: [] });
  expect(loop({ items: "text" }).instance).toMatchObject({ status: "faulted", error: { status: 400 } });
});

test("fork gives an array in the order of declaration, whatever finishes first", () => {
  const drive = new Drive([{ f: { fork: { branches: [{ slow: shell() }, { quick: { set: "q" } }] } } }]);
  expect(drive.instance.status).toBe("waiting");
  drive.succeed(record({ stdout: "s" }));
  expect(drive.instance.output).toEqual(["s", "q"]);
});

test("competing branches: the first that completes wins and the others are cancelled", () => {
  const drive = new Drive([{ f: { fork: { compete: true, branches: [{ a: shell() }, { b: shell() }] } } }]);
  const first = drive.effect("run", 0).id;
  drive.succeed(record({ stdout: "b won" }));
  expect(drive.instance).toMatchObject({ status: "completed", output: "b won" });
  expect(drive.effects).toContainEqual({ kind: "cancel", id: first });
  expect(
    drive.transitions.filter(({ event }) => event === "step.cancelled").map(({ step_id }) => step_id),
  ).toEqual(["a"]);
});

test("a branch that fails cancels its siblings and fails the fork once", () => {
  const drive = new Drive([{ f: { fork: { branches: [{ a: shell() }, { b: shell() }] } } }]);
  failure(drive, 1);
  expect(drive.instance).toMatchObject({
    status: "faulted",
    error: { instance: "/do/0/f/fork/branches/1/b" },
  });
  expect(drive.effects).toContainEqual({ kind: "cancel", id: drive.effect("run", 0).id });
});

const RAISE = {
  raise: {
    error: {
      type: "https://serverlessworkflow.io/dsl/errors/types/communication",
      status: 503,
      title: "Down",
    },
  },
};

test("raise faults with the given error and its own pointer", () => {
  expect(new Drive([{ r: RAISE }]).instance.error).toMatchObject({ status: 503, instance: "/do/0/r" });
});

test("catch takes what its filter names, under any spelling of the type, and gives the error to its list", () => {
  const caught = new Drive([
    {
      t: {
        try: [{ r: RAISE }],
        catch: {
          errors: {
            with: { type: "https://serverlessworkflow.io/spec/1.0.0/errors/communication", status: 503 },
          },
          as: "problem",
          do: [{ h: { set: { at: "${ $problem.instance }" } } }],
        },
      },
    },
  ]);
  expect(caught.instance).toMatchObject({ status: "completed", output: { at: "/do/0/t/try/0/r" } });
  const other = new Drive([
    { t: { try: [{ r: RAISE }], catch: { errors: { with: { status: 404 } }, do: [{ h: { set: 1 } }] } } },
  ]);
  expect(other.instance).toMatchObject({ status: "faulted", error: { status: 503 } });
});

test("retry waits its delay, grows it by its backoff, and gives up after its count", () => {
  const drive = new Drive([
    {
      t: {
        try: [{ r: RAISE }],
        catch: {
          retry: { delay: { seconds: 1 }, backoff: { exponential: {} }, limit: { attempt: { count: 2 } } },
        },
      },
    },
  ]);
  expect(drive.effect("timer").due_at).toBe(2_000);
  drive.fire();
  expect(drive.effect("timer").due_at).toBe(4_000);
  drive.fire();
  expect(drive.instance).toMatchObject({ status: "faulted", error: { status: 503 } });
  drive.expectFold();
});

test("a task that runs past its timeout faults with 408, which an enclosing try may catch", () => {
  const slow = {
    t: {
      try: [{ w: { wait: "PT1H", timeout: { after: "PT1S" } } }],
      catch: { as: "e", do: [{ h: { set: "${ $e.status }" } }] },
    },
  };
  const drive = new Drive([slow]);
  const timeout = drive.effects.find((effect) => effect.kind === "timer" && effect.due_at === 2_000)!;
  drive.now = 2_000;
  drive.put({ kind: "timer", effect: timeout.id });
  expect(drive.instance).toMatchObject({ status: "completed", output: 408 });
});

test("`exit` leaves the enclosing list, `end` the workflow", () => {
  const nested = (then: string): Drive =>
    new Drive([{ d: { do: [{ a: { set: 1, then } }, { b: { set: 2 } }] } }, { c: { set: "${ . + 10 }" } }]);
  expect(nested("exit").instance.output).toBe(11);
  expect(nested("end").instance.output).toBe(1);
});

test("the workflow's input schema is enforced, its output shaped", () => {
  const document: JsonObject = {
    input: { schema: { document: { type: "object", required: ["n"] } }, from: "${ {n: (.n + 1)} }" },
    do: [{ s: { set: "${ .n }" } }],
    output: { as: "${ {result: .} }" },
  };
  expect(new Drive(document, { n: 1 }).instance.output).toEqual({ result: 2 });
  expect(new Drive(document, {}).instance).toMatchObject({
    status: "faulted",
    error: { status: 400, instance: "/input" },
  });
});

test("an expression that arrives inside data is never evaluated", () => {
  expect(new Drive([{ a: { set: { kept: "${ .text }" } } }], { text: "${ 1 + 1 }" }).instance.output).toEqual(
    { kept: "${ 1 + 1 }" },
  );
});

test("a failing expression faults its task with the standard error", () => {
  expect(new Drive([{ a: { set: "${ .a.b.c }" } }], { a: 1 }).instance.error).toMatchObject({
    type: "https://serverlessworkflow.io/spec/1.0.0/errors/expression",
    status: 400,
    instance: "/do/0/a",
  });
});
