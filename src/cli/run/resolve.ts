import { fail } from "../../base/errors.ts";
import { connectToOrchestrator } from "../../host/index.ts";
import { readJsonArgument } from "../inputs.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  description:
    "Decides about a call whose outcome is not known, after you have looked at the other side. The run goes on with what you say.",
  positionals: [
    RUN_ID,
    {
      name: "step",
      label: "step",
      ids: "step",
      about: "its name, or its reference where the name is not enough",
    },
  ],
  flags: {
    as: {
      type: "string",
      value: "OUTCOME",
      choices: ["succeeded", "failed", "retry"],
      required: true,
      about: "what became of it, or make it again",
    },
    output: { type: "string", value: "JSON", about: "what the call gave; @FILE or - for stdin" },
    reason: { type: "string", value: "TEXT", about: "why it failed" },
  },
  examples: [
    {
      command: "lightflow run resolve order-1 pay --as succeeded --output '{\"id\":7}'",
      does: "it came through",
    },
    { command: "lightflow run resolve order-1 pay --as retry", does: "it did not; make the call again" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const client = await connectToOrchestrator(io.paths);
  try {
    const { calls } = await client.call("listCalls", { run_id: positionals.run });
    const named = calls.filter(({ step_id, reference }) => [step_id, reference].includes(positionals.step));
    if (named.length === 0) {
      throw fail("not_found", `no call of ${positionals.run} ${positionals.step} has an unknown outcome`, {
        hint: "`lightflow run calls` lists those that have",
      });
    }
    if (named.length > 1) {
      throw fail("conflict", `${positionals.step} has ${named.length} calls with an unknown outcome`, {
        hint: `name one by its reference: ${named.map(({ reference }) => reference).join(" ")}`,
      });
    }
    const { output, reason } = flags;
    const answer = await client.call("resolveCall", {
      id: named[0]!.id,
      as: flags.as,
      ...(output === undefined ? {} : { output: await readJsonArgument(output, "--output", io) }),
      ...(reason === undefined ? {} : { reason }),
    });
    io.print(answer, () => `${answer.run_id} ${answer.step_id} ${answer.as}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
