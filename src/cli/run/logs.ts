import { connectToRead } from "../../host/index.ts";
import { exitOf } from "../serve-role.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { RUN_ID } from "./run-id.ts";
import { followLogs } from "./watch.ts";

export const spec = {
  description:
    "What the run's commands wrote, byte for byte: their stdout on stdout, their stderr on stderr. With --json one object a chunk.",
  positionals: [RUN_ID],
  flags: {
    step: { type: "string", value: "STEP", about: "only this step" },
    follow: { type: "boolean", about: "wait for more until the run has ended" },
  },
  examples: [{ command: "lightflow run logs release-1 --step check", does: "the output of one step" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const stop = flags.follow ? await io.following() : io.stop();
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const truncated = await followLogs(
      client,
      positionals.run,
      stop,
      (chunk) => {
        if (io.jsonAsked) io.stdout.line(JSON.stringify(chunk));
        else (chunk.stream === "stdout" ? io.stdout : io.stderr).write(Buffer.from(chunk.data, "base64"));
      },
      { follow: flags.follow, ...(flags.step === undefined ? {} : { stepId: flags.step }) },
    );
    for (const { step_id, attempt, stream } of truncated)
      io.stderr.line(`the rest of ${stream} of ${step_id} (attempt ${attempt}) was not received`);
    return exitOf(stop);
  } finally {
    await client.close();
  }
};
