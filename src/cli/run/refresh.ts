import type { CommandSpec, Run } from "../spec.ts";
import { callStore } from "./plan.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  description: "Looks what CortexFS answered to the requests that were submitted, and keeps it.",
  positionals: [RUN_ID],
  examples: [{ command: "lightflow run refresh run-001", does: "the run as it stands now" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) =>
  await callStore(io, (client) => client.call("refreshRun", { run_id: positionals.run }));
