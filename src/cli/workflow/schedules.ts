import { fail } from "../../base/errors.ts";
import { connectToOrchestrator, connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  description:
    "Shows what starts by itself. A document with a `schedule` begins to when it is published; its highest version is the one that does.",
  positionals: [
    {
      name: "action",
      label: "action",
      about: "list where nothing is said",
      choices: ["list", "pause", "resume"],
      optional: true,
    },
    {
      name: "workflow",
      label: "workflow",
      ids: "publication",
      about: "NAMESPACE/NAME, for pause and resume",
      optional: true,
    },
  ],
  examples: [
    {
      command: "lightflow workflow schedules",
      does: "each schedule, when it is due and what it last started",
    },
    { command: "lightflow workflow schedules pause acme/backup", does: "start nothing until it is resumed" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const { action, workflow } = positionals;
  if (action === "pause" || action === "resume") {
    const [namespace, name] = workflow?.split("/") ?? [];
    if (namespace === undefined || name === undefined)
      throw fail("usage", "missing workflow", {
        hint: `lightflow workflow schedules ${action} NAMESPACE/NAME`,
      });
    const client = await connectToOrchestrator(io.paths);
    try {
      const operation = action === "pause" ? "pauseSchedule" : "resumeSchedule";
      const view = await client.call(operation, { namespace, name });
      io.print(view, () => `${view.namespace}/${view.name} ${view.state}\n`);
      return 0;
    } finally {
      await client.close();
    }
  }
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  try {
    const answer = await client.call("listSchedules", {});
    io.print(answer, (paint) =>
      answer.schedules.length === 0
        ? "nothing starts by itself\n"
        : tableText([
            ["workflow", "version", "kind", "state", "next", "last run", "note"].map((head) =>
              paint.dim(head),
            ),
            ...answer.schedules.map((each) => [
              `${each.namespace}/${each.name}`,
              each.version,
              each.kind,
              each.state,
              each.next_at ?? "",
              each.last_run ?? "",
              each.diagnostic ?? "",
            ]),
          ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
