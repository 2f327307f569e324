import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  positionals: [RUN_ID],
  examples: [
    {
      command: "lightflow run status run-001 | jq -r .status",
      does: "planned, running, succeeded, failed or cancelled",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    io.print(await client.call("runStatus", { run_id: positionals.run }));
    return 0;
  } finally {
    await client.close();
  }
};
