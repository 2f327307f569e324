import { openOrchestrator } from "../host/index.ts";
import { serveRole } from "./serve-role.ts";
import type { CommandSpec, Run } from "./spec.ts";

export const spec = {
  description:
    "The orchestrator role alone: it starts and advances runs, and answers on the API socket. The controller shares its store.",
  examples: [
    { command: "lightflow orchestrator", does: "beside `lightflow controller`, on the same state directory" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = (_args, io) =>
  serveRole(io, "orchestrator", () => openOrchestrator({ paths: io.paths, log: io.log(), root: io.root() }));
