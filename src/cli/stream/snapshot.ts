import { systemClock } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import { snapshotFrame } from "../../gateway/streams.ts";
import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "A run as it stands as one FlatBuffers frame on stdout: its status, its events and its trace. Binary, so redirect it.",
  positionals: [{ name: "run", label: "run id", ids: "run" }],
  examples: [
    {
      command: "lightflow stream snapshot run-001 > run-001.fb",
      does: "decode it: flatc --json --strict-json lightflow.fbs -- run-001.fb",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  if (io.isTerminal) throw fail("usage", "a frame is binary", { hint: "redirect it: … > run.fb" });
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    io.stdout.write(await snapshotFrame(client.call, positionals.run, systemClock.wall()));
    return 0;
  } finally {
    await client.close();
  }
};
