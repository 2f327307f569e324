import { resolve } from "node:path";
import type { Json } from "../../base/json.ts";
import type { Client } from "../../host/index.ts";
import { readJsonArgument } from "../inputs.ts";
import type { Io } from "../io.ts";

/** `image=@photo.png`, but no JSON text. */
const PAIR = /^([A-Za-z_][A-Za-z0-9_]*)=(@?[\s\S]*)$/;

/**
 * The inputs of the command line: `--inputs` as JSON, `@file` or `-`, or one `name=value`; `--set name=value`. A value
 * `@file` is put into the artifacts and stands there as `sha256:…`.
 */
export async function readInputs(
  flags: { inputs?: string | undefined; set: ReadonlyMap<string, string> },
  client: Client,
  io: Io,
): Promise<{ inputs?: Json; set?: Record<string, string> }> {
  const single = flags.inputs === undefined ? null : PAIR.exec(flags.inputs);
  const set = new Map(flags.set);
  if (single !== null && !set.has(single[1]!)) set.set(single[1]!, single[2]!);
  for (const [name, value] of set) {
    if (!value.startsWith("@")) continue;
    const stored = await client.call("putArtifact", { path: resolve(io.cwd, value.slice(1)) });
    set.set(name, `sha256:${stored.sha256}`);
  }
  return {
    ...(flags.inputs === undefined || single !== null
      ? {}
      : { inputs: await readJsonArgument(flags.inputs, "--inputs", io) }),
    ...(set.size === 0 ? {} : { set: Object.fromEntries(set) }),
  };
}
