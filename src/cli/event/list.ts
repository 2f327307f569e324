import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  flags: {
    poisoned: { type: "boolean", about: "those that could not be handled, and those that wait for them" },
    lane: {
      type: "string",
      value: "LANE",
      about: "start events of one lane: main, release, deployment, tenant.ID",
    },
    limit: { type: "integer", value: "N", minimum: 1, maximum: 1000, default: 100, about: "at most so many" },
  },
  examples: [{ command: "lightflow event list --poisoned", does: "what waits for `event repair`" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  try {
    const { poisoned, lane, limit } = flags;
    const answer = await client.call("listInboxEvents", {
      poisoned,
      limit,
      ...(lane === undefined ? {} : { lane }),
    });
    io.print(answer, (paint) =>
      answer.events.length === 0
        ? "no events\n"
        : tableText([
            ["event", "state", "type", "subject", "run", "reason"].map((head) => paint.dim(head)),
            ...answer.events.map((event) => [
              String(event.seq),
              event.state,
              event.type,
              event.subject ?? "",
              event.run_id ?? "",
              event.diagnostic ?? "",
            ]),
          ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
