import { resolve } from "node:path";
import { configPath } from "../settings.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  description: "Flags stand over environment variables, those over config.yaml, that over the defaults.",
  examples: [
    { command: "lightflow config show --json", does: "the settings with their sources, for a program" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_args, io) => {
  const { settings: given, sources } = io.resolvedSettings();
  const settings = { ...given, root: resolve(io.cwd, given.root ?? ".") };
  const flat: Record<string, unknown> = { ...settings };
  delete flat["runner"];
  for (const [key, value] of Object.entries(settings.runner)) flat[`runner.${key}`] = value;
  io.print({ file: configPath(io.paths), settings, sources }, (paint) =>
    tableText(
      Object.entries(flat).map(([name, value]) => [
        name,
        value === undefined ? "not set" : String(value),
        paint.dim(sources[name] ?? ""),
      ]),
    ),
  );
  return 0;
};
