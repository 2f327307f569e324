import { resolve } from "node:path";
import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  description:
    "Writes manifest.json, request.json, resolved_workflow.json, events.jsonl, trace.jsonl and outputs/ from the store.",
  positionals: [RUN_ID],
  flags: {
    to: { type: "string", value: "DIR", about: "where; by default runs/RUN in the state directory" },
  },
  examples: [{ command: "lightflow run export run-001 --to ./run-001", does: "a run as plain files" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const done = await client.call("exportRun", {
      run_id: positionals.run,
      ...(flags.to === undefined ? {} : { directory: resolve(io.cwd, flags.to) }),
    });
    io.print(done, () => `${done.directory}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
