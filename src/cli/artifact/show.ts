import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { DIGEST, digestOf } from "./digest.ts";

export const spec = {
  description:
    "What is known of an artifact: every reference to it with its run, step, attempt, policy and the end of its retention, and the legal holds on it. All of it stays when the bytes have expired.",
  positionals: [DIGEST],
  examples: [{ command: "lightflow artifact show sha256:… --json | jq .state", does: "live or expired" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const found = await client.call("showArtifact", { sha256: digestOf(positionals.sha256) });
    io.print(found);
    return 0;
  } finally {
    await client.close();
  }
};
