import { connectToOrchestrator } from "../../host/index.ts";
import { readJsonArgument } from "../inputs.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "Decides about an attempt whose outcome nobody knows, after looking at what it really did. `succeeded` and `failed` let the run go on; `retry` runs the command again under a new fence, so it may have run twice.",
  positionals: [
    { name: "attempt", label: "attempt id", about: "the operator task, the lease, or the queued task" },
  ],
  flags: {
    as: {
      type: "string",
      value: "OUTCOME",
      choices: ["succeeded", "failed", "retry"],
      required: true,
      about: "what became of it",
    },
    output: { type: "string", value: "JSON", about: "what the step gives out; @FILE or - for stdin" },
    note: { type: "string", value: "TEXT", about: "why, for the history and the audit" },
  },
  examples: [
    {
      command:
        "lightflow attempts resolve 0197f0c2-5d6e-7a01-9c55-0d4a5a1f6b11 --as succeeded --note 'the tag is there'",
      does: "the run goes on as if the runner had said so",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const output =
    flags.output === undefined ? undefined : await readJsonArgument(flags.output, "--output", io);
  const client = await connectToOrchestrator(io.paths);
  try {
    const answer = await client.call("resolveAttempt", {
      attempt_id: positionals.attempt,
      as: flags.as,
      ...(output === undefined ? {} : { output }),
      ...(flags.note === undefined ? {} : { note: flags.note }),
    });
    io.print(answer, () => `${answer.step_id}, attempt ${answer.attempt}: ${answer.resolved_as}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
