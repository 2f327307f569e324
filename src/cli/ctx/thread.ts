import type { CommandSpec, Run } from "../spec.ts";
import { printPure } from "./place.ts";

export const spec = {
  description: "The files of one message to a thread.",
  positionals: [
    { name: "thread_id", label: "thread id" },
    { name: "step_id", label: "step id" },
  ],
  examples: [
    { command: "lightflow ctx thread notes step-001", does: "where its message and its answer are" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ positionals }, io) => printPure("ctx.thread", { ...positionals }, io);
