import { join, resolve } from "node:path";
import { mountCommand } from "../../../cortexfs/commands.ts";
import { EXIT } from "../exit.ts";
import { exitOf } from "../serve-role.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { UNTIL_STDIN_ENDS, untilStdinEnds } from "./parent.ts";

export const spec = {
  description:
    "Mounts CortexFS through FUSE and serves it until SIGTERM, Ctrl-C or `ctx umount`. As root by mount(2), else by fusermount3 of the package fuse3. A dead mount at the same place is replaced.",
  flags: {
    at: { type: "string", value: "DIR", default: "/ctx", about: "where to mount" },
    "until-stdin-ends": UNTIL_STDIN_ENDS,
    "allow-other": { type: "boolean", about: "let every user of this host in; each sees its own home" },
  },
  examples: [{ command: "lightflow ctx mount --at /tmp/ctx", does: "in another terminal: ls /tmp/ctx" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const stop = flags["until-stdin-ends"] ? untilStdinEnds(io.stop()) : io.stop();
  await mountCommand(
    {
      at: resolve(io.cwd, flags.at),
      allowOther: flags["allow-other"],
      stateDir: join(io.paths.state, "cortexfs"),
      config: { logLevel: io.settings().logLevel },
      onReady: (ready) => {
        if (io.json) io.stdout.line(JSON.stringify({ ready: true, ...ready }));
        else io.stdout.line(`mounted at ${ready.at} (${ready.how})`);
      },
    },
    stop,
  );
  // A mount that somebody still uses keeps its thread: the process ends all the same.
  const code = stop.aborted ? exitOf(stop) : EXIT.ok;
  process.exit(code);
};
