import { fail } from "../../base/errors.ts";
import { connectToRecords } from "../../host/index.ts";
import { readJsonArgument } from "../inputs.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { EVENT_SEQ, eventSeq } from "./event-seq.ts";

export const spec = {
  description:
    "Decides about an event that could not be handled. Events of the same source and subject that waited for it go on in their order.",
  positionals: [EVENT_SEQ],
  flags: {
    retry: { type: "boolean", about: "handle it again as it is" },
    data: { type: "string", value: "JSON", about: "handle it with this data; @FILE or - for stdin" },
    drop: { type: "boolean", about: "give it up" },
  },
  examples: [
    { command: "lightflow event repair 7 --retry", does: "after the workflow that it starts was published" },
    { command: "lightflow event repair 7 --drop", does: "those behind it go on without it" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const { retry, data, drop } = flags;
  if ([retry, data !== undefined, drop].filter(Boolean).length !== 1)
    throw fail("usage", "give one of --retry, --data and --drop");
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const event = await client.call("repairEvent", {
      seq: eventSeq(positionals.event),
      as: retry ? "retry" : drop ? "drop" : "replace",
      ...(data === undefined ? {} : { data: await readJsonArgument(data, "--data", io) }),
    });
    io.print(event, () => `event ${event.seq} is ${event.state}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
