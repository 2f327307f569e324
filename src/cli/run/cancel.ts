import { connectToOrchestrator, connectToRead, hasStore } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  positionals: [RUN_ID],
  flags: { reason: { type: "string", value: "TEXT", about: "kept in the run's history" } },
  examples: [
    { command: "lightflow run cancel release-1", does: "stop a run and the command that it is running" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  // A run that is taken step by step needs nobody to advance it.
  const client = hasStore(io.paths)
    ? await connectToRead(io.paths, io.log(), io.root())
    : await connectToOrchestrator(io.paths);
  try {
    const view = await client.call("cancelRun", {
      run_id: positionals.run,
      ...(flags.reason === undefined ? {} : { reason: flags.reason }),
    });
    io.print(view, () => `${view.run_id} ${view.status}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
