import { join, resolve } from "node:path";
import { serveDirectory } from "../../../cortexfs/commands.ts";
import { exitOf } from "../serve-role.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { UNTIL_STDIN_ENDS, untilStdinEnds } from "./parent.ts";

export const spec = {
  description: "The same tree as a plain directory that is watched, for hosts and containers without FUSE.",
  flags: {
    "until-stdin-ends": UNTIL_STDIN_ENDS,
    dir: { type: "string", value: "DIR", required: true, about: "the directory; made when it is missing" },
  },
  examples: [{ command: "lightflow ctx serve --dir /tmp/ctx", does: "the tree under /tmp/ctx" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const stop = flags["until-stdin-ends"] ? untilStdinEnds(io.stop()) : io.stop();
  await serveDirectory(
    {
      dir: resolve(io.cwd, flags.dir),
      stateDir: join(io.paths.state, "cortexfs"),
      logLevel: io.settings().logLevel,
      onReady: (ready) => {
        if (io.json) io.stdout.line(JSON.stringify({ ready: true, ...ready }));
        else io.stdout.line(`serving ${ready.dir}`);
      },
    },
    stop,
  );
  return exitOf(stop);
};
