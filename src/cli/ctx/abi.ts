import type { CommandSpec, Run } from "../spec.ts";
import { printPure } from "./place.ts";

export const spec = {
  description: "Where CortexFS is for this user; nothing has to be mounted.",
  examples: [{ command: "lightflow ctx abi | jq -r .home", does: "the home of this user in /ctx" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = (_, io) => printPure("ctx.abi", {}, io);
