import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { driveBatch } from "./drive.ts";

export const spec = {
  description: "Goes on with a batch that was stopped or killed: ended jobs stay ended, none runs twice.",
  positionals: [{ name: "batch", label: "batch id", ids: "batch" }],
  examples: [{ command: "lightflow batch resume portraits", does: "what is left of it" }],
  exits: { [EXIT.failed]: "a job failed, was cancelled or refused" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ positionals }, io) => driveBatch(io, positionals.batch);
