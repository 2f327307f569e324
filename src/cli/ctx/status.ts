import { resolve } from "node:path";
import { status } from "../../../cortexfs/commands.ts";
import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  flags: { at: { type: "string", value: "DIR", default: "/ctx", about: "the mount point" } },
  examples: [{ command: "lightflow ctx status --json | jq -r .state", does: "alive, dead, silent or none" }],
  exits: { [EXIT.local]: "nothing answers there" },
} as const satisfies CommandSpec;

/** What each state means for who looks on. */
const STATES = {
  alive: "alive",
  dead: "mounted, and its server is gone",
  silent: "mounted, and its server does not answer",
  none: "nothing is mounted there",
} as const;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const found = await status({ at: resolve(io.cwd, flags.at) });
  io.print(found, () => {
    const more = found.status === undefined ? "" : `, ${found.status}`;
    const next = found.state === "alive" ? "" : `; mount it: lightflow ctx mount --at ${found.at}`;
    return `${found.at}: ${STATES[found.state]}${more}${next}\n`;
  });
  return found.state === "alive" ? EXIT.ok : EXIT.local;
};
