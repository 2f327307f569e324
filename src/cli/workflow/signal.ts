import { connectToOrchestrator } from "../../host/index.ts";
import { readJsonArgument } from "../inputs.ts";
import { RUN_ID } from "../run/run-id.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "Gives an event to one run that listens for its type, and to no other. Refused when the run does not listen for it now.",
  positionals: [RUN_ID, { name: "type", label: "event type", about: "the CloudEvent's type" }],
  flags: {
    data: { type: "string", value: "JSON|@FILE|-", about: "the event's data" },
    id: { type: "string", value: "ID", about: "the same id again changes nothing; made up when left out" },
  },
  examples: [
    {
      command: `lightflow workflow signal order-7 payment.received --data '{"amount":12}'`,
      does: "order-7 goes on; other orders do not hear it",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const data = flags.data === undefined ? {} : { data: await readJsonArgument(flags.data, "--data", io) };
  const client = await connectToOrchestrator(io.paths);
  try {
    const answer = await client.call("signalRun", {
      run_id: positionals.run,
      type: positionals.type,
      ...data,
      ...(flags.id === undefined ? {} : { id: flags.id }),
    });
    io.print(answer, () => `${answer.run_id} ${answer.received ? "was told" : "had been told before"}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
