import { openOrchestrator } from "../host/index.ts";
import { laneOf } from "../service/index.ts";
import { serveRole } from "./serve-role.ts";
import type { CommandSpec, Run } from "./spec.ts";

export const spec = {
  description:
    "The orchestrator role alone: it starts and advances runs, and answers on the API socket. The controller shares its store.",
  flags: {
    lane: {
      type: "list",
      value: "LANE",
      about: "take only these start events: main, release, deployment or tenant.ID; may be repeated",
    },
  },
  examples: [
    {
      command: "lightflow orchestrator --lane release",
      does: "leave the other lanes to other orchestrators",
    },
    { command: "lightflow orchestrator", does: "beside `lightflow controller`, on the same state directory" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ flags }, io) => {
  // The same check as for an event that is sent.
  const lanes = flags.lane.map((lane) => laneOf(`workflow.start.${lane}`)!);
  return serveRole(io, "orchestrator", () =>
    openOrchestrator({
      paths: io.paths,
      log: io.log(),
      root: io.root(),
      ...(lanes.length === 0 ? {} : { lanes }),
    }),
  );
};
