import { expect, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../../base/errors.ts";
import { PRELOAD, STARTER_FILES } from "../../builtins/index.ts";
import { loadDocument } from "../../workflow/index.ts";
import { checkInputs, completeInputs, discoverAssets, documentName, findWorkflow } from "../index.ts";
import { TestProject, workflowText } from "../testing.ts";

function lower(chain: string) {
  using project = new TestProject();
  project.write("workflows/w.ts", workflowText(chain));
  return findWorkflow(project.root, "workflow.test").document;
}

function failureOf(part: () => unknown): Failure {
  try {
    part();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

const ROOT = '($context // {inputs: ({"depth":3} + $workflow.input), steps: {}})';
/** The scope of a task with what is read of it. */
const view = (inputs: string, steps: string) =>
  `\${ ${ROOT} as $root | {inputs: {${inputs}}, steps: {${steps}}} }`;
const reads = (inputs: string, steps: string) => ({ from: view(inputs, steps) });
const DEPTH = '"depth": $root.inputs["depth"]';
const REPOSITORY = '"repository": $root.inputs["repository"]';
const SUM = '"sum": $root.steps["sum"]';
const within = (inputs: string, steps: string, body: string) =>
  `${view(inputs, steps).slice(0, -2)} | (${body}) }`;
const exported = (id: string, entry: string) => ({
  as: `\${ . as $result | ${ROOT} | .steps["${id}"] = ${entry} }`,
});

test("the call of an agent becomes a task that calls it, with its schema and where it works", () => {
  const document = lower(`
    .input("text", { type: "string" })
    .agentStep("sort", {
      agent: "triage:1.0.0", prompt: "Which kind?", input: "\${ .inputs.text }", outputSchema: { type: "string" },
      mode: "runner", tokenBudget: 500, workspace: "session", pool: "agents", timeout: "PT5M", then: "end",
    })`);
  const { sort } = Object.assign({}, ...document.do) as Record<string, Record<string, unknown>>;
  expect(sort).toMatchObject({
    call: "agent",
    with: {
      agent: "triage:1.0.0",
      prompt: "Which kind?",
      input: "${ .inputs.text }",
      outputSchema: { format: "json", document: { type: "string" } },
      mode: "runner",
      tokenBudget: 500,
    },
    timeout: { after: "PT5M" },
    metadata: { lightWorkflow: { runner: { runnerPool: "agents" }, workspace: "session" } },
  });
  expect(failureOf(() => lower('.agentStep("a", { agent: "b", model: "c" })')).message).toContain("model");
});

test("a question becomes a task that asks, with its default for when nobody answers", () => {
  const document = lower(`
    .input("draft", { type: "string" })
    .askStep("review", {
      title: "Review", prompt: "\${ .inputs.draft }", options: ["good", { value: 2, label: "again" }],
      role: "editor", timeout: "PT1H", default: "good", then: "size",
    })
    .askStep("size", { prompt: "how large?", schema: { type: "integer" }, required: false })
    .askStep("pick", { prompt: "which?", options: "\${ .steps.size.output }" })`);
  const asked = Object.assign({}, ...document.do) as Record<string, Record<string, unknown>>;
  expect(asked["review"]).toMatchObject({
    then: "size",
    ask: {
      prompt: "${ .inputs.draft }",
      options: ["good", { value: 2, label: "again" }],
      assignment: { roleId: "editor" },
      timeout: "PT1H",
      default: "good",
      onTimeout: "default",
    },
  });
  expect(JSON.stringify(asked["review"]?.["export"])).toContain("{output: $result}");
  expect(asked["size"]?.["ask"]).toEqual({
    prompt: "how large?",
    schema: { format: "json", document: { type: "integer" } },
    required: false,
  });
  expect(asked["pick"]?.["ask"]).toEqual({ prompt: "which?", optionsFrom: "${ .steps.size.output }" });
  expect(failureOf(() => lower('.askStep("a", { prompt: "b", default: 1 })')).message).toContain(
    "no timeout",
  );
});

test("each kind of step becomes its task, and every expression finds inputs and steps under one dot", () => {
  const document = lower(`
    .input("repository", { type: "path", required: true, description: "where" })
    .input("depth", { type: "integer", default: 3, minimum: 1, maximum: 9 })
    .commandStep("list", {
      title: "List", command: "ls", arguments: ["-l", "\${ .inputs.repository }"], environment: { A: "b" }, stdin: "x",
      output: "json", workspace: "ephemeral", artifacts: [{ path: "a/*.txt", name: "n", mediaType: "text/plain" }],
      mounts: [{ source: "\${ .inputs.repository }" }, { source: "/s", target: "/t", readOnly: false }],
      timeout: "PT5M", repeatable: true, pool: "release", capabilities: ["git"], if: "\${ .inputs.depth > 1 }", then: "choose",
    })
    .set("sum", { n: "\${ .inputs.depth + 1 }" })
    .assertStep("sound", { that: "\${ .steps.sum.output.n > 1 }", message: "too few" })
    .switchStep("choose", [{ when: "\${ .inputs.depth > 2 }", then: "end" }, { then: "sum" }])
    .failStep("stop", { title: "no", detail: "never", status: 422 }, { if: "\${ .steps.sum == null }" })
    .toolStep("look", "node.search", "web", { request: { q: "\${ .inputs.repository }" } })
    .output({ n: "\${ .steps.sum.output.n }", fixed: 1 })`);
  expect(document).toMatchObject({
    document: { dsl: "1.0.3", namespace: "lightflow", name: "test", version: "0.1.0", title: "Title" },
    input: {
      schema: {
        document: {
          type: "object",
          properties: {
            repository: { type: "string", minLength: 1, description: "where" },
            depth: { type: "integer", default: 3, minimum: 1, maximum: 9 },
          },
          required: ["repository"],
          additionalProperties: false,
        },
      },
      from: '${ {"depth":3} + . }',
    },
    output: { as: { n: within("", SUM, ".steps.sum.output.n"), fixed: 1 } },
  });
  expect<unknown>(document.document.metadata).toEqual({
    lightFlow: { assetId: "workflow.test", sourceSha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
  expect<unknown>(document.do).toEqual([
    {
      list: {
        if: within(DEPTH, "", ".inputs.depth > 1"),
        input: reads(REPOSITORY, ""),
        run: {
          shell: {
            command: "ls",
            arguments: ["-l", "${ .inputs.repository }"],
            environment: { A: "b" },
            stdin: "x",
          },
        },
        export: exported("list", "$result"),
        timeout: { after: "PT5M" },
        then: "choose",
        metadata: {
          lightWorkflow: {
            runner: { runnerPool: "release", capabilities: ["git"] },
            output: "json",
            workspace: "ephemeral",
            repeatable: true,
            mounts: [
              { source: "${ .inputs.repository }", target: "${ .inputs.repository }", readOnly: true },
              { source: "/s", target: "/t", readOnly: false },
            ],
            artifacts: [{ path: "a/*.txt", name: "n", mediaType: "text/plain" }],
          },
          lightFlow: { step: "list", title: "List" },
        },
      },
    },
    {
      sum: {
        input: reads(DEPTH, ""),
        set: { n: "${ .inputs.depth + 1 }" },
        export: exported("sum", "{output: $result}"),
        metadata: { lightFlow: { step: "sum" } },
      },
    },
    {
      sound: {
        input: reads("", SUM),
        assert: { that: "${ .steps.sum.output.n > 1 }", message: "too few" },
        metadata: { lightFlow: { step: "sound" } },
      },
    },
    {
      choose: {
        input: reads(DEPTH, ""),
        switch: [{ case1: { when: "${ .inputs.depth > 2 }", then: "end" } }, { otherwise: { then: "sum" } }],
        metadata: { lightFlow: { step: "choose" } },
      },
    },
    {
      stop: {
        if: within("", SUM, ".steps.sum == null"),
        input: reads("", ""),
        raise: {
          error: {
            type: "https://serverlessworkflow.io/spec/1.0.0/errors/runtime",
            status: 422,
            title: "no",
            detail: "never",
          },
        },
        metadata: { lightFlow: { step: "stop" } },
      },
    },
    {
      look: {
        input: reads(REPOSITORY, ""),
        call: "cortex",
        with: { target: { kind: "tool", tool: "web" }, body: { q: "${ .inputs.repository }" } },
        export: exported("look", "{output: $result}"),
        metadata: { lightFlow: { step: "look", node: "node.search" } },
      },
    },
  ]);
});

test("the seed's sample sends one user message and carries its schemas", () => {
  const root = join(import.meta.dir, "../../..");
  const { document } = findWorkflow(root, "workflow.text_plan");
  expect(document.do).toMatchObject([
    {
      draft: {
        call: "cortex",
        with: {
          target: { kind: "api", format: "openai.chat" },
          body: { messages: [{ role: "user", content: '${ .inputs["prompt"] }' }] },
        },
      },
    },
  ]);
  expect(document.input?.schema).toMatchObject({ document: { required: ["prompt"] } });
  expect(document.output?.schema).toMatchObject({ document: { required: ["choices"] } });
  expect(loadDocument(JSON.stringify(document), { mode: "light", format: "json" }).document).toEqual(
    document,
  );
});

test("what the executable carries is valid: its own assets and the files of a new project", () => {
  using project = new TestProject();
  for (const { path, text } of STARTER_FILES) project.write(path.replace("lightflow/", ""), text);
  const { assets, diagnostics } = discoverAssets(project.root, { kinds: ["workflow"] });
  expect(diagnostics).toEqual([]);
  expect(assets.filter(({ builtin }) => !builtin).map(({ meta }) => meta.id)).toEqual(["workflow.hello"]);
  expect(assets.filter(({ builtin }) => builtin).map(({ meta }) => meta.id)).toContain("workflow.self_check");
  for (const { meta } of assets) expect(findWorkflow(project.root, meta.id).document.do).not.toEqual([]);
});

test("the types in this project's own lightflow/ are those that the executable carries", async () => {
  const own = await Bun.file(join(import.meta.dir, "../../..", PRELOAD.path)).text();
  expect(own).toBe(PRELOAD.text);
});

test("an unknown id is refused with the nearest ones, a bad asset with every problem", () => {
  using project = new TestProject();
  project.write("workflows/w.ts", workflowText('.set("a", x).set("b", y)'));
  const missing = failureOf(() => findWorkflow(project.root, "workflow.tset"));
  expect([missing.code, missing.hint]).toEqual(["asset_not_found", "did you mean workflow.test?"]);
  expect(missing.message).toContain("workflow asset not found: workflow.tset");
  const bad = failureOf(() => findWorkflow(project.root, "workflow.test"));
  expect(bad.code).toBe("asset_invalid");
  expect(bad.message).toMatch(/w\.ts:4:\d+: x is not a const of this file \(and 1 more\)$/);
  expect(bad.details?.["diagnostics"]).toHaveLength(2);
  expect(failureOf(() => findWorkflow(project.root, "workflow.zzzzzzzzzz")).hint).toContain(
    "workflow.self_check",
  );
});

test("a fault of the document is shown at its place in the asset", () => {
  using project = new TestProject();
  const of = (chain: string) => {
    project.write("workflows/w.ts", workflowText(chain.replace("§", "")));
    const failure = failureOf(() => findWorkflow(project.root, "workflow.test"));
    const [found] = failure.details!["diagnostics"] as { line: number; column: number; code: string }[];
    return { code: found?.code, line: found?.line, column: found?.column };
  };
  for (const chain of [
    '.commandStep("a", { command: "ls", artifacts: [{ path: "ok" }, { §path: "../x" }] })',
    '.commandStep("a", { command: "ls", artifacts: [{ path: "x", §mediaType: "nothing" }] })',
    '.inputSchema(§"schemas/missing.json")'.replace("(§", "(").replace(".input", ".§input"),
  ]) {
    const column = "  return workflow(META.id)".length + chain.indexOf("§") + 1;
    expect([chain, of(chain)]).toEqual([chain, { code: expect.any(String), line: 4, column }] as never);
  }
});

test("a workflow whose id another file claims too is not picked by chance", () => {
  using project = new TestProject();
  project.write("workflows/a.ts", workflowText(""));
  project.write("workflows/b.ts", workflowText(""));
  const failure = failureOf(() => findWorkflow(project.root, "workflow.test"));
  expect([failure.code, failure.message]).toEqual([
    "asset_invalid",
    expect.stringContaining("the id workflow.test is taken"),
  ]);
});

test("a schema path leads to a JSON object inside the project, or is refused", () => {
  using project = new TestProject();
  using outside = new TestProject();
  project.write("schemas/good.json", '{"type":"object"}');
  project.write("schemas/list.json", "[]");
  project.write("schemas/twice.json", '{"a":1,"a":2}');
  symlinkSync(outside.write("secret.json", "{}"), join(project.root, "lightflow/schemas/out.json"));
  const read = (path: string) => {
    project.write("workflows/w.ts", workflowText(`.inputSchema(${JSON.stringify(path)})`));
    return findWorkflow(project.root, "workflow.test").document.input;
  };
  expect(read("schemas/good.json")).toEqual({ schema: { document: { type: "object" } } });
  for (const [path, message] of [
    ["schemas/missing.json", "ENOENT"],
    ["schemas/list.json", "not a JSON object"],
    ["schemas/twice.json", "duplicate key"],
    ["schemas/out.json", "leads out of the project"],
    ["../package.json", "leads out of lightflow/"],
    ["/etc/passwd", "leads out of lightflow/"],
  ] as const) {
    const failure = failureOf(() => read(path));
    expect([path, failure.code, failure.message]).toEqual([
      path,
      "asset_invalid",
      expect.stringContaining(message),
    ]);
  }
});

test("a document's name is a DNS label", () => {
  for (const [id, name] of [
    ["workflow.release_check", "release-check"],
    ["Team.Plan_v2", "team-plan-v2"],
    [`workflow.${"a_".repeat(60)}a`, `${"a-".repeat(31)}a`],
  ] as const) {
    expect([documentName(id), name.length <= 63]).toEqual([name, true]);
  }
});

test("inputs are completed from defaults and the working directory, and every fault is named", () => {
  using project = new TestProject();
  const ports = `
    .input("repository", { type: "path", required: true, description: "the repository" })
    .input("ref", { type: "string", default: "HEAD", pattern: "[a-zA-Z]+" })
    .input("depth", { type: "integer", minimum: 1, maximum: 9 })
    .input("mode", { type: "string", enum: ["fast", "slow"] })
    .input("ratio", { type: "number" }).input("flag", { type: "boolean" }).input("any", { type: "json" })
    .input("file", { type: "artifact" }).set("a", { b: 1 })`;
  project.write("workflows/w.ts", workflowText(ports));
  const { definition } = findWorkflow(project.root, "workflow.test");
  expect(completeInputs(definition, { repository: "a/b" }, "/home/x")).toEqual({
    repository: "/home/x/a/b",
    ref: "HEAD",
  });
  expect(completeInputs(definition, { repository: "/r", ref: "v" }, "/home/x")).toEqual({
    repository: "/r",
    ref: "v",
  });
  expect(completeInputs(definition, null, "/home/x")).toEqual({ ref: "HEAD" });
  const file = `sha256:${"0".repeat(64)}`;
  expect(
    checkInputs(definition, {
      repository: "/r",
      depth: 9,
      mode: "slow",
      ratio: 1.5,
      flag: false,
      any: [null],
      file,
    }),
  ).toEqual([]);
  const issues = checkInputs(definition, {
    ref: "v1.0",
    depth: 10,
    mode: "quick",
    ratio: "1",
    flag: 0,
    file: "x",
    repositry: "/r",
  });
  expect(issues.map(({ code, path, message }) => [code, path, message])).toEqual([
    ["input_missing", "/repository", "the input repository (path) is missing: the repository"],
    ["input_invalid", "/ref", "the input ref does not match [a-zA-Z]+"],
    ["input_invalid", "/depth", "the input depth is above 9"],
    ["input_invalid", "/mode", 'the input mode is none of "fast", "slow"'],
    ["input_invalid", "/ratio", "the input ratio is not a number"],
    ["input_invalid", "/flag", "the input flag is neither true nor false"],
    ["input_invalid", "/file", "the input file is not sha256: and 64 hex digits"],
    ["input_unknown", "/repositry", "there is no input repositry; did you mean repository?"],
  ]);
  expect(checkInputs(definition, [1])).toMatchObject([{ message: "the inputs are not a JSON object" }]);
});

test("an agent's step is its call, and a tolerated one leaves its error as its entry", () => {
  const document = lower(`
    .commandStep("try", { command: "false", tolerate: true, modelGenerated: true })
    .agentStep("why", { agent: "triage", diagnose: "\${ .steps.try.error }", outputSchema: { type: "object" }, if: "\${ .steps.try.error != null }" })
    .agentStep("mend", { agent: "mender:1.0.0", prompt: "Mend it.", input: "\${ .steps.why.output }", workspace: "session",
      commands: [{ name: "test", command: "false" }, { name: "count", template: "count-words" }],
      repair: { command: "test", attempts: 2 }, pool: "builders" })
    .output({ patch: "\${ .steps.mend.artifacts }" })`);
  loadDocument(JSON.stringify(document), { mode: "light", format: "json" });
  const [tried, why, mend] = document.do as Record<string, Record<string, unknown>>[];
  expect(tried!["try"]).toMatchObject({
    try: [
      {
        try: {
          run: { shell: { command: "false" } },
          metadata: { lightWorkflow: { security: { workloadTrust: "model-generated" } } },
        },
      },
    ],
    catch: {
      as: "problem",
      do: [
        { "try-failed": { set: "${ $problem }", export: { as: expect.stringContaining("error: $result") } } },
      ],
    },
  });
  expect(why!["why"]).toMatchObject({
    call: "agent",
    with: {
      agent: "triage",
      diagnose: "${ .steps.try.error }",
      outputSchema: { format: "json", document: { type: "object" } },
    },
    if: expect.stringContaining(".error != null"),
  });
  expect(mend!["mend"]).toMatchObject({
    call: "agent",
    with: {
      agent: "mender:1.0.0",
      commands: [
        { name: "test", command: "false" },
        { name: "count", template: "count-words" },
      ],
      repair: { command: "test", attempts: 2 },
    },
    metadata: {
      lightWorkflow: { workspace: "session", output: "json", runner: { runnerPool: "builders" } },
    },
  });
  expect(() =>
    lower(`.agentStep("a", { agent: "x", commands: [{ name: "t", command: "\${ .inputs.x }" }] })`),
  ).toThrow("commands.0.command");
});
