import { copyFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { fail, toFailure } from "../../base/errors.ts";
import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { DIGEST, digestOf } from "./digest.ts";

export const spec = {
  description: "Writes the bytes to stdout, or with --output into a file.",
  positionals: [DIGEST],
  flags: { output: { type: "string", value: "FILE", about: "write here instead; it must not exist" } },
  examples: [{ command: "lightflow artifact get sha256:… --output result.png", does: "a result as a file" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const sha256 = digestOf(positionals.sha256);
    // Says whether it may be read: what is known of it stays when its bytes do not.
    await client.call("readArtifact", { sha256, limit: 1 });
    const { media_type, name, size } = await client.call("showArtifact", { sha256 });
    const found = { sha256, size, media_type, name };
    const path = join(io.paths.state, "artifacts", "sha256", found.sha256.slice(0, 2), found.sha256);
    if (flags.output === undefined) {
      for await (const chunk of Bun.file(path).stream()) io.stdout.write(chunk);
      return 0;
    }
    const target = resolve(io.cwd, flags.output);
    if (await Bun.file(target).exists()) throw fail("conflict", `${target} already exists`);
    try {
      copyFileSync(path, target);
    } catch (error) {
      rmSync(target, { force: true });
      throw fail("io", `cannot write ${target}: ${toFailure(error).message}`, { cause: error });
    }
    io.print({ ...found, path: target }, () => `${target}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
