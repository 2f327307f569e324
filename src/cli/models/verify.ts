import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { fileStates, printStates } from "./states.ts";

export const spec = {
  description: "Compares every installed file with the SHA-256 of its model asset, byte for byte.",
  positionals: [
    {
      name: "models",
      label: "model asset id",
      ids: "model",
      about: "all of the project by default",
      rest: true,
      optional: true,
    },
  ],
  examples: [{ command: "lightflow models verify", does: "exit code 1 when a file is missing or different" }],
  exits: { [EXIT.local]: "a file is missing or different" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const rows = await fileStates(io, positionals.models, true);
  const ok = rows.every(({ state, locked }) => state === "installed" && locked);
  printStates(io, rows, { ok });
  return ok ? EXIT.ok : EXIT.local;
};
