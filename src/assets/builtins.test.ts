import { expect, test } from "bun:test";
import { join } from "node:path";
import { STARTER_FILES } from "../builtins/index.ts";
import { findWorkflow } from "./index.ts";
import { TestProject } from "./testing.ts";

/** Run the first command of a workflow as a runner does, in an empty directory; what it reported and printed. */
async function runFirst(project: TestProject, id: string, values: Record<string, string> = {}) {
  const target = findWorkflow(project.root, id).definition.steps[0]!.target;
  if (target.kind !== "command") throw new Error("the first step is no command");
  const output = join(project.root, "output.json");
  project.write("workspace/file", "");
  const cwd = join(project.root, "lightflow/workspace");
  const done = Bun.spawnSync([target.command, ...target.arguments.map((text) => values[text] ?? text)], {
    cwd,
    env: { PATH: process.env["PATH"]!, LANG: "C.UTF-8", LIGHTFLOW_OUTPUT: output, LIGHTFLOW_WORKSPACE: cwd },
    stderr: "pipe",
  });
  expect([done.exitCode, done.stderr.toString()]).toEqual([0, ""]);
  return { log: done.stdout.toString(), output: await Bun.file(output).json() };
}

test("the starter workflow greets whoever it is told to, whatever the name holds", async () => {
  using project = new TestProject();
  for (const { path, text } of STARTER_FILES) project.write(path.replace("lightflow/", ""), text);
  for (const [name, letters] of [
    ["world", 5],
    ["", 0],
    ["$(exit 1) `id` \"'\\n", 19],
  ] as const) {
    const { log, output } = await runFirst(project, "workflow.hello", { "${ .inputs.name }": name });
    expect([output, log]).toEqual([{ letters }, `Hello, ${name}!\n`]);
  }
});

test("the self check reports from the runner", async () => {
  using project = new TestProject();
  const { output } = await runFirst(project, "workflow.self_check");
  expect(output).toEqual({ word: "ready", user: process.getuid!(), files: 1 });
});
