import { connectToOrchestrator } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  positionals: [RUN_ID],
  examples: [{ command: "lightflow run resume release-1", does: "go on with what came meanwhile" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToOrchestrator(io.paths);
  try {
    const view = await client.call("resumeRun", { run_id: positionals.run });
    io.print(view, () => `${view.run_id} ${view.phase}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
