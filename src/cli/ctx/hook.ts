import type { CommandSpec, Run } from "../spec.ts";
import { printPure } from "./place.ts";

export const spec = {
  description: "The files of a hook: a job with a trigger.",
  positionals: [{ name: "hook_id", label: "hook id" }],
  examples: [{ command: "lightflow ctx hook daily-translate", does: "the files of a hook" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ positionals }, io) => printPure("ctx.hook", { ...positionals }, io);
