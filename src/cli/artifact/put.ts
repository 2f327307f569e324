import { resolve } from "node:path";
import { connectToRecords } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  positionals: [{ name: "file", label: "file" }],
  examples: [
    { command: "lightflow artifact put photo.png | jq -r .sha256", does: "a digest for an artifact port" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const stored = await client.call("putArtifact", { path: resolve(io.cwd, positionals.file) });
    io.print(stored, () => `sha256:${stored.sha256}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
