import { connectToRead } from "../../host/index.ts";
import type { OutputOf } from "../../service/index.ts";
import type { Paint } from "../paint.ts";
import { duration } from "../run/report.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  description:
    "Says why a task is not running: its place in the queue, the key it waits for, and for each runner the first check of admission that it fails.",
  positionals: [
    {
      name: "task",
      label: "task",
      ids: "run",
      about: "RUN, RUN/STEP, or the id of a queued task or of a lease",
    },
  ],
  examples: [
    { command: "lightflow tasks why release-1/sign", does: "why the step sign of that run is not running" },
  ],
} as const satisfies CommandSpec;

type Explanation = OutputOf<"explainTask">["tasks"][number];

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const answer = await client.call("explainTask", { task: positionals.task });
    io.print(answer, (paint) => answer.tasks.map((task) => describe(task, paint)).join("\n"));
    return 0;
  } finally {
    await client.close();
  }
};

function describe(task: Explanation, paint: Paint): string {
  const { runnerPool, executionProfile, capabilities, sandboxMode } = task.requirement;
  const asks = [`pool ${runnerPool}`, `profile ${executionProfile}`, `sandbox ${sandboxMode}`];
  if (capabilities.length > 0) asks.push(`capabilities ${capabilities.join(", ")}`);
  const facts: [string, string | null][] = [
    ["state", task.state],
    ["asks for", asks.join(", ")],
    ["position", task.position === null ? null : String(task.position)],
    ["key", task.concurrency === null ? null : task.concurrency.key],
    ["tried again in", task.retry_after_ms === null ? null : duration(task.retry_after_ms)],
    ["noted", task.diagnostic],
    ["operator task", task.operator_task],
  ];
  const lines = [
    `${paint.bold(`${task.run_id}/${task.step_id}`)}: ${task.reason}`,
    ...facts.filter(([, text]) => text !== null).map(([name, text]) => `  ${paint.dim(name)} ${text}`),
  ];
  const table = tableText(
    task.sessions.map((each) => [
      `  ${each.runner_id}`,
      each.check === null ? "" : `check ${each.check}`,
      each.code ?? "",
      each.message,
    ]),
  );
  return `${lines.join("\n")}\n${table}`;
}
