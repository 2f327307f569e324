import { connectToRead } from "../../host/index.ts";
import { isFinished } from "../../service/index.ts";
import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { RUN_ID } from "./run-id.ts";
import { interrupted } from "./start.ts";

export const spec = {
  positionals: [RUN_ID],
  examples: [
    { command: "lightflow run wait release-1 && echo released", does: "go on when the run has succeeded" },
  ],
  exits: { [EXIT.failed]: "the run failed or was cancelled" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const stop = io.stop();
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    for (;;) {
      const view = await client
        .call("waitRun", { run_id: positionals.run, wait_ms: 20_000 }, stop)
        .catch((error: unknown) => {
          if (stop.aborted) return null;
          throw error;
        });
      if (view === null || stop.aborted) return interrupted(io, positionals.run, stop, false);
      if (!isFinished(view.status)) continue;
      io.print(view, () => `${view.run_id} ${view.status}\n`);
      return view.status === "succeeded" ? EXIT.ok : EXIT.failed;
    }
  } finally {
    await client.close();
  }
};
