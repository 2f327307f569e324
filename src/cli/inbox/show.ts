import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  positionals: [{ name: "task", label: "task id", ids: "task", about: "as `lightflow inbox list` shows it" }],
  examples: [
    {
      command: "lightflow inbox show 0197f0c2-5d6e-7a01-9c55-0d4a5a1f6b11",
      does: "all that is known about it, and how to resolve it",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const task = await client.call("showInbox", { task_id: positionals.task });
    io.print(task, (paint) =>
      [
        `${paint.bold(task.kind)} ${task.id}, ${task.state} since ${task.created_at}`,
        `  ${paint.dim("subject")} ${task.subject}`,
        ...Object.entries(task.body).map(([name, value]) => `  ${paint.dim(name)} ${text(value)}`),
        ...(task.resolution === null ? [] : [`  ${paint.dim("resolution")} ${task.resolution}`]),
        `${paint.dim("next:")} ${task.next}`,
      ].join("\n"),
    );
    return 0;
  } finally {
    await client.close();
  }
};

/** Further lines stand below the first one: none of them looks like a row of its own. */
const text = (value: unknown): string =>
  (typeof value === "string" ? value : JSON.stringify(value)).replaceAll("\n", "\n      ");
