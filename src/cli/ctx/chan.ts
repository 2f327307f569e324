import type { CommandSpec, Run } from "../spec.ts";
import { printPure } from "./place.ts";

export const spec = {
  description: "The files of a channel.",
  positionals: [{ name: "channel_id", label: "channel id" }],
  examples: [{ command: "lightflow ctx chan fengying", does: "the files of a relay account" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ positionals }, io) => printPure("ctx.chan", { ...positionals }, io);
