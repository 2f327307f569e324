import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  examples: [
    { command: "lightflow event lanes", does: "how far each lane of start events has been worked off" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const answer = await client.call("listLanes", {});
    io.print(answer, (paint) =>
      answer.lanes.length === 0
        ? "no start events yet\n"
        : tableText([
            ["lane", "offset", "last", "pending", "held"].map((head) => paint.dim(head)),
            ...answer.lanes.map((lane) =>
              [lane.lane, lane.offset, lane.last, lane.pending, lane.held].map(String),
            ),
          ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
