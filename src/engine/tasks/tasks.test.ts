import { expect, test } from "bun:test";
import { Drive, shell } from "../../../test/support/engine-drive.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { answerProblem } from "./ask.ts";

const document = (more: JsonObject): JsonObject => more;

test("emit gives an event with an id of its own, the recorded time and the workflow as source", () => {
  const event = (name: string) => ({
    emit: { event: { with: { type: "t", data: { name: `\${ "${name}" }` } } } },
  });
  const drive = new Drive([{ a: event("x") }, { b: event("y") }], {});
  expect(drive.instance.output).toEqual({
    specversion: "1.0",
    id: "i-2",
    source: "/workflows/t/t/1.0.0",
    time: new Date(1_000).toISOString(),
    type: "t",
    data: { name: "y" },
  });
  const emitted = drive.transitions.filter(({ event: name }) => name === "event.emitted");
  expect(emitted.map(({ detail }) => ((detail as JsonObject)["event"] as JsonObject)["id"])).toEqual([
    "i-1",
    "i-2",
  ]);
  drive.expectFold();
});

test("an event's attribute that is no text faults the task", () => {
  const drive = new Drive([{ a: { emit: { event: { with: { type: "t", subject: "${ {} }" } } } } }]);
  expect(drive.instance.error).toMatchObject({ status: 400, instance: "/do/0/a" });
});

const step = (task: JsonObject, needs: string[] = [], more: JsonObject = {}) => ({ task, needs, ...more });

test("graph runs each step as soon as what it needs has ended, and gives it those outputs", () => {
  const steps = {
    last: step({ set: { got: "${ . }" } }, ["left", "right"]),
    left: step({ set: { side: "left", n: "${ .n }" } }),
    right: step(shell()),
  };
  const drive = new Drive([{ g: { graph: { steps } } }], { n: 1 });
  expect(drive.steps).toEqual(["g", "left", "right"]);
  drive.succeed({ exitCode: 0, stdout: "out" });
  expect(drive.instance.output).toEqual({
    last: { got: { left: { side: "left", n: 1 }, right: "out" } },
    left: { side: "left", n: 1 },
    right: "out",
  });
  expect(Object.keys(drive.instance.output as JsonObject)).toEqual(["last", "left", "right"]);
  drive.expectFold();
});

test("a graph's concurrency is kept, and a step that its condition leaves out gives null", () => {
  const steps = {
    a: step(shell()),
    b: step(shell()),
    c: step({ set: 1 as Json as JsonObject }, ["a"], { if: "${ false }" }),
    d: step({ set: { c: "${ .c }" } }, ["c"]),
  };
  const drive = new Drive([{ g: { graph: { concurrency: 1, steps } } }]);
  expect(drive.steps).toEqual(["g", "a"]);
  drive.succeed({ exitCode: 0, stdout: "1" });
  expect(drive.steps).toEqual(["g", "a", "b"]);
  drive.succeed({ exitCode: 0, stdout: "2" });
  expect(drive.instance.output).toEqual({ a: "1", b: "2", c: null, d: { c: null } });
});

const failing = { raise: { error: { type: "urn:x", status: 400 } } };

test("fail-fast cancels the other steps; the error points at the step", () => {
  const drive = new Drive([{ g: { graph: { steps: { slow: step(shell()), bad: step(failing) } } } }]);
  expect(drive.instance).toMatchObject({
    status: "faulted",
    error: { type: "urn:x", instance: "/do/0/g/graph/steps/bad/task" },
  });
  expect(
    drive.transitions.some(({ event, step_id }) => event === "step.cancelled" && step_id === "slow"),
  ).toBe(true);
});

test("continue runs whatever does not need the failed step, then faults", () => {
  const steps = {
    bad: step(failing),
    needy: step({ set: {} }, ["bad"]),
    free: step(shell()),
    after: step({ set: {} }, ["free"]),
  };
  const drive = new Drive([{ g: { graph: { failure: "continue", steps } } }]);
  expect(drive.instance.status).toBe("waiting");
  drive.succeed({ exitCode: 0, stdout: "" });
  expect(drive.instance.status).toBe("faulted");
  expect(drive.steps).toEqual(["g", "bad", "free", "after"]);
});

test("a function runs on its arguments alone, and its output is the call's", () => {
  const drive = new Drive(
    document({
      use: { functions: { double: { do: [{ twice: { set: { n: "${ .x * 2 }", keys: "${ keys }" } } }] } } },
      do: [{ go: { call: "double", with: { x: "${ .n + 1 }" } } }],
    }),
    { n: 4 },
  );
  expect(drive.instance.output).toEqual({ n: 10, keys: ["x"] });
  drive.expectFold();
});

test("an error in a function points into the function, and functions without end are stopped", () => {
  const bad = new Drive({ use: { functions: { f: { do: [{ r: failing }] } } }, do: [{ go: { call: "f" } }] });
  expect(bad.instance.error).toMatchObject({ instance: "/use/functions/f/do/0/r" });
  const endless = new Drive({ use: { functions: { f: { call: "f" } } }, do: [{ go: { call: "f" } }] });
  expect(endless.instance.error?.type).toEndWith("/configuration");
});

test("a call asks for an effect with its expressions evaluated, its policy found and its secrets still names", () => {
  const drive = new Drive(
    document({
      use: { authentications: { mine: { basic: { use: "vault" } } } },
      do: [
        {
          go: {
            call: "http",
            with: {
              method: "POST",
              endpoint: { uri: "https://x.test/{id}", authentication: { use: "mine" } },
              body: { n: "${ .id + 1 }", authentication: { use: "mine" } },
            },
          },
        },
      ],
    }),
    { id: 7, other: 1 },
  );
  const effect = drive.effect("call");
  expect(effect.request).toEqual({
    call: "http",
    with: {
      method: "POST",
      endpoint: { uri: "https://x.test/{id}", authentication: { basic: { use: "vault" } } },
      body: { n: 8, authentication: { use: "mine" } },
      uriVariables: { id: 7 },
    },
    secrets: { "/endpoint/authentication/basic": "vault" },
    repeatable: false,
    timeout_ms: null,
  });
  drive.put({ kind: "effect_succeeded", effect: effect.id, output: { ok: true } });
  expect(drive.instance.output).toEqual({ ok: true });
});

const extended = (extensions: JsonObject[], tasks: JsonObject[]): JsonObject => ({
  use: { extensions },
  do: tasks,
});

test("extensions run before and after what they extend, nested, and change nothing of its data", () => {
  const around = (name: string, more: JsonObject = {}) => ({
    [name]: {
      extend: "set",
      before: [{ [`${name}Before`]: { wait: { seconds: 1 } } }],
      after: [{ [`${name}After`]: { wait: { seconds: 1 } } }],
      ...more,
    },
  });
  const off = { off: { extend: "all", when: "${ false }", before: [{ never: { set: {} } }] } };
  const drive = new Drive(
    extended([around("one"), around("two"), off], [{ a: { set: { n: "${ .n + 1 }" } } }]),
    { n: 1 },
  );
  for (let times = 0; times < 4; times++) drive.fire();
  expect(drive.steps).toEqual(["a", "oneBefore", "twoBefore", "twoAfter", "oneAfter"]);
  expect(drive.instance.output).toEqual({ n: 2 });
  drive.expectFold();
});

test("`exit` before a task puts another output in its place; $task there is the extended task", () => {
  const mock = {
    mock: {
      extend: "call",
      when: '${ $task.definition.with.method == "get" }',
      before: [{ answer: { set: { for: "${ $task.reference }" }, then: "exit" } }],
    },
  };
  const call = { call: "http", with: { method: "get", endpoint: "https://x.test" } };
  const drive = new Drive(extended([mock], [{ a: call }, { b: { set: "${ {got: .} }" } }]));
  expect(drive.instance).toMatchObject({ status: "completed", output: { got: { for: "/do/0/a" } } });
  expect(drive.effects).toEqual([]);
});

test("what fails in an extension of a try is not caught by that try", () => {
  const drive = new Drive(
    extended(
      [{ e: { extend: "try", before: [{ r: failing }] } }],
      [{ a: { try: [{ s: { set: {} } }], catch: {} } }],
    ),
  );
  expect(drive.instance).toMatchObject({
    status: "faulted",
    error: { instance: "/use/extensions/0/e/before/0/r" },
  });
});

test("a workflow that runs past its timeout faults with 408; one that ends in time takes the timer back", () => {
  const timed = (seconds: number) => ({
    use: { timeouts: { short: { after: { seconds: 2 } } } },
    timeout: "short",
    do: [{ w: { wait: { seconds } } }],
  });
  const late = new Drive(timed(5));
  late.put({ kind: "timer", effect: late.effect("timer", 0).id });
  expect(late.instance).toMatchObject({ status: "faulted", error: { status: 408, instance: "/timeout" } });
  const early = new Drive(timed(1));
  const [limit, wait] = [early.effect("timer", 0), early.effect("timer", 1)];
  expect(limit.due_at).toBe(3_000);
  early.put({ kind: "timer", effect: wait.id });
  expect(early.instance.status).toBe("completed");
  expect(early.effects).toContainEqual({ kind: "cancel", id: limit.id });
});

test("catch.then says where it goes on, with and without a list of its own", () => {
  const list: JsonObject = { do: [{ note: { set: { caught: true } } }] };
  for (const more of [{} as JsonObject, list]) {
    const drive = new Drive([
      { a: { try: [{ r: failing }], catch: { then: "last", ...more } } },
      { skipped: { set: { no: 1 } } },
      { last: { set: "${ {got: .} }" } },
    ]);
    expect(drive.steps).not.toContain("skipped");
    expect(drive.instance.status).toBe("completed");
  }
});

test("$workflow.input is the raw input, and the workflow's output schema is enforced", () => {
  const drive = new Drive(
    {
      input: { from: "${ .inner }" },
      do: [{ a: { set: { raw: "${ $workflow.input }", from: "${ . }" } } }],
      output: { schema: { document: { required: ["raw"] } } },
    },
    { inner: 1 },
  );
  expect(drive.instance.output).toEqual({ raw: { inner: 1 }, from: 1 });
  const wrong = new Drive({
    do: [{ a: { set: {} } }],
    output: { schema: { document: { required: ["x"] } } },
  });
  expect(wrong.instance.error).toMatchObject({ status: 400, instance: "/output" });
});

test("loose mode tries bare text as an expression, strict mode leaves it", () => {
  const tasks = [{ a: { set: { x: ".n", y: "not an expression" } } }];
  const loose = new Drive({ evaluate: { mode: "loose" }, do: tasks }, { n: 3 });
  expect(loose.instance.output).toEqual({ x: 3, y: "not an expression" });
  expect(new Drive({ do: tasks }, { n: 3 }).instance.output).toEqual({ x: ".n", y: "not an expression" });
});

const asking = (ask: JsonObject): Drive => new Drive([{ a: { ask } }], { who: "Ann" });

test("ask puts a question with its expressions evaluated, and the answer is the output", () => {
  const drive = asking({ prompt: '${ "ok, \\(.who)?" }', options: ["yes", { value: false, label: "no" }] });
  const { id, question } = drive.effect("ask");
  expect(question).toMatchObject({ prompt: "ok, Ann?", options: ["yes", { value: false, label: "no" }] });
  drive.put({ kind: "effect_succeeded", effect: id, output: "yes" });
  expect(drive.instance.output).toBe("yes");
  expect(answerProblem(question, "yes")).toBeNull();
  expect(answerProblem(question, false)).toBeNull();
  expect(answerProblem(question, "no")).toContain("must be one of");
  expect(answerProblem(question, null)).toBe("an answer is required");
});

test("an answer must fit its schema", () => {
  const { question } = asking({ prompt: "?", schema: { document: { type: "integer" } } }).effect("ask");
  expect(answerProblem(question, 3)).toBeNull();
  expect(answerProblem(question, "3")).toContain("integer");
});

test("a question that nobody answers in time takes its default, or faults with 408", () => {
  const late = asking({
    prompt: "?",
    timeout: { seconds: 5 },
    onTimeout: "default",
    default: { from: "${ .who }" },
  });
  late.fire();
  expect(late.instance).toMatchObject({ status: "completed", output: { from: "Ann" } });
  expect(late.effects).toContainEqual({ kind: "cancel", id: late.effect("ask").id });
  const faulted = asking({ prompt: "?", timeout: { seconds: 5 } }).fire();
  expect(faulted.instance.error).toMatchObject({ status: 408, instance: "/do/0/a" });
});

test("a script is its interpreter with the code and the arguments, never shell text", () => {
  const script = (language: string) =>
    new Drive(
      [{ a: { run: { script: { language, code: "x $(y)", arguments: ["${ .n }"], stdin: "in" } } } }],
      {
        n: 1,
      },
    ).effect("run").request;
  expect(script("javascript")).toMatchObject({
    type: "run.shell",
    command: "node",
    arguments: ["--input-type=module", "-e", "x $(y)", "--", "script.mjs", "1"],
    stdin: "in",
  });
  expect(script("python")).toMatchObject({ command: "python3", arguments: ["-c", "x $(y)", "1"] });
});

test("a command's secret is named by the document alone", () => {
  const shell = (TOKEN: string, input: Json) =>
    new Drive([{ a: { run: { shell: { command: "true", environment: { TOKEN } } } } }], input);
  expect(shell("${ $secrets.deploy }", {}).effect("run").request.environment).toEqual({
    TOKEN: "runner-secret://deploy",
  });
  expect(shell("runner-secret://deploy", {}).effect("run").request.environment).toEqual({
    TOKEN: "runner-secret://deploy",
  });
  expect(shell("${ .t }", { t: "runner-secret://deploy" }).instance.error).toMatchObject({ status: 403 });
});

test("an attempt that takes longer than its limit is ended and tried again, and one that ends in time is not", () => {
  const tried = (count: number) =>
    new Drive([
      {
        t: {
          try: [{ w: { wait: "PT10S" } }],
          catch: { retry: { delay: "PT1S", limit: { attempt: { count, duration: "PT2S" } } } },
        },
      },
    ]);
  const drive = tried(1);
  const limits = () =>
    drive.effects.filter((each) => each.kind === "timer" && each.due_at - drive.now === 2_000);
  expect(limits()).toHaveLength(1);
  const fire = (wait: number) => {
    const timer = drive.effects.findLast(
      (each) => each.kind === "timer" && each.due_at === drive.now + wait,
    )!;
    drive.now += wait;
    drive.put({ kind: "timer", effect: timer.id });
  };
  fire(2_000);
  expect(drive.instance.status).toBe("waiting");
  fire(1_000);
  expect(drive.steps).toEqual(["t", "w", "w"]);
  fire(2_000);
  expect(drive.instance).toMatchObject({ status: "faulted", error: { status: 408, instance: "/do/0/t" } });
  drive.expectFold();

  const quick = tried(1);
  const wait = quick.effects.find((each) => each.kind === "timer" && each.due_at === quick.now + 10_000)!;
  quick.put({ kind: "timer", effect: wait.id });
  expect(quick.instance.status).toBe("completed");
  expect(quick.effects.filter(({ kind }) => kind === "cancel")).toHaveLength(1);
});
