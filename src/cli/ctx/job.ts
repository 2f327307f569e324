import type { CommandSpec, Run } from "../spec.ts";
import { printPure } from "./place.ts";

export const spec = {
  description: "The files of a job: write spec, then req.",
  positionals: [{ name: "job_id", label: "job id" }],
  examples: [{ command: "lightflow ctx job translate.zh", does: "the files of a job" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ positionals }, io) => printPure("ctx.job", { ...positionals }, io);
