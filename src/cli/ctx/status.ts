import { resolve } from "node:path";
import { status } from "../../../cortexfs/commands.ts";
import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  flags: { at: { type: "string", value: "DIR", default: "/ctx", about: "the mount point" } },
  examples: [{ command: "lightflow ctx status --json | jq -r .state", does: "alive, dead, silent or none" }],
  exits: { [EXIT.local]: "nothing answers there" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const found = await status({ at: resolve(io.cwd, flags.at) });
  io.print(
    found,
    () => `${found.at}: ${found.state}${found.status === undefined ? "" : `, ${found.status}`}\n`,
  );
  return found.state === "alive" ? EXIT.ok : EXIT.local;
};
