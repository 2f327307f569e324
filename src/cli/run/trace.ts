import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  description:
    "One JSON object a line: the files that a run taken step by step wrote and read, or what the engine was told of one that goes on by itself.",
  positionals: [RUN_ID],
  examples: [{ command: "lightflow run trace run-001 | jq -r .path", does: "the files of /ctx, in order" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const stop = io.stop();
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    for (let after = 0; !stop.aborted; ) {
      const { lines } = await client.call("runTrace", { run_id: positionals.run, after });
      for (const line of lines) io.stdout.line(JSON.stringify(line));
      if (lines.length === 0) break;
      after = lines.at(-1)!.seq;
    }
    return 0;
  } finally {
    await client.close();
  }
};
