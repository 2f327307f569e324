import { configPath } from "../settings.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  examples: [{ command: "lightflow config path", does: "where config.yaml is looked for, and the rest" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_args, io) => {
  const value = {
    config: configPath(io.paths),
    state: io.paths.state,
    cache: io.paths.cache,
    runtime: io.paths.runtime,
  };
  io.print(value, () => tableText(Object.entries(value).map(([name, path]) => [name, path])));
  return 0;
};
