import { connectToOrchestrator } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  description:
    "Suspends a run. What has begun goes on and its results are kept; nothing new begins until `run resume`. Its timers run down meanwhile.",
  positionals: [RUN_ID],
  flags: { reason: { type: "string", value: "TEXT", about: "kept in the run's history" } },
  examples: [{ command: "lightflow run pause release-1", does: "hold a run after what it is doing" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const client = await connectToOrchestrator(io.paths);
  try {
    const view = await client.call("pauseRun", {
      run_id: positionals.run,
      ...(flags.reason === undefined ? {} : { reason: flags.reason }),
    });
    io.print(view, () => `${view.run_id} ${view.phase}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
