import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { DIGEST, digestOf } from "./digest.ts";

export const spec = {
  description: "Reads the bytes and compares them with their digest; exit code 1 when they are others.",
  positionals: [DIGEST],
  examples: [
    { command: "lightflow artifact verify sha256:…", does: "whether the disk still has what was kept" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const found = await client.call("verifyArtifact", { sha256: digestOf(positionals.sha256) });
    io.print(found, () =>
      found.ok
        ? `${found.size} bytes, as the digest says\n`
        : `the bytes are ${found.actual}, not ${found.sha256}\n`,
    );
    return found.ok ? 0 : 1;
  } finally {
    await client.close();
  }
};
