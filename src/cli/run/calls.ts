import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  description:
    "Calls that were begun when the orchestrator died, and that may have changed something: they are not made again by themselves.",
  positionals: [{ name: "run", label: "run id", ids: "run", optional: true }],
  examples: [{ command: "lightflow run calls", does: "calls whose outcome nobody knows" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  try {
    const run = positionals.run;
    const answer = await client.call("listCalls", run === undefined ? {} : { run_id: run });
    io.print(answer, (paint) =>
      answer.calls.length === 0
        ? "the outcome of every call is known\n"
        : tableText([
            ["run", "step", "reference", "begun", "since"].map((head) => paint.dim(head)),
            ...answer.calls.map((call) => [
              call.run_id,
              call.step_id,
              call.reference,
              String(call.attempts),
              call.created_at,
            ]),
          ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
