import { resolve } from "node:path";
import { umount } from "../../../cortexfs/commands.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  flags: { at: { type: "string", value: "DIR", default: "/ctx", about: "the mount point" } },
  examples: [{ command: "lightflow ctx umount --at /tmp/ctx", does: "also when its daemon has died" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const done = await umount({ at: resolve(io.cwd, flags.at) });
  io.print(done, () => `${done.at}: ${done.how}\n`);
  return 0;
};
