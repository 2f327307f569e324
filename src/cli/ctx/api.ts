import type { CommandSpec, Run } from "../spec.ts";
import { printPure } from "./place.ts";

export const spec = {
  description: "The files of one request to an API format.",
  positionals: [
    { name: "format", label: "api format" },
    { name: "step_id", label: "step id" },
  ],
  examples: [
    { command: "lightflow ctx api openai.chat step-001", does: "where its request and its answer are" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ positionals }, io) => printPure("ctx.api", { ...positionals }, io);
