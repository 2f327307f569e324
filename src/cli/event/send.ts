import { fail } from "../../base/errors.ts";
import { isObject } from "../../base/json.ts";
import { connectToRecords } from "../../host/index.ts";
import { readJsonArgument } from "../inputs.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "Gives a CloudEvent to the workflows that listen for it. The types workflow.start.main, .release, .deployment and .tenant.ID start the published workflow that `data` names. `type` is needed; id, source and time are made where they are missing. The same source and id again change nothing. An event that is sent while no host runs is handled when one does.",
  positionals: [{ name: "event", label: "event", about: "a CloudEvent as JSON; @FILE or - for stdin" }],
  examples: [
    {
      command: `lightflow event send '{"type":"order.placed","data":{"order":7}}'`,
      does: "wakes whoever listens for order.placed",
    },
    {
      command: `lightflow event send '{"type":"workflow.start.main","data":{"workflow":{"namespace":"shop","name":"order"},"input":{"order":7}}}'`,
      does: "starts the latest version of shop/order",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const event = await readJsonArgument(positionals.event, "event", io);
  if (!isObject(event)) throw fail("invalid_request", "an event is a JSON object");
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const answer = await client.call("sendEvent", event);
    io.print(
      answer,
      () => `${answer.received ? "received" : "had come before"}: ${answer.source} ${answer.id}\n`,
    );
    return 0;
  } finally {
    await client.close();
  }
};
