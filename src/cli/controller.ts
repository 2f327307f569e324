import { openController } from "../host/index.ts";
import { HOST_FLAG, portFlag } from "./listen-flags.ts";
import { serveRole } from "./serve-role.ts";
import type { CommandSpec, Run } from "./spec.ts";

export const spec = {
  description:
    "The controller role alone: it admits runners and leases single tasks to them. It shares the orchestrator's store.",
  flags: {
    host: HOST_FLAG,
    port: portFlag("0 takes a free one", "5175"),
  },
  examples: [{ command: "lightflow controller --host 10.0.0.5", does: "for runners of a private network" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ flags }, io) => {
  const settings = io.settings();
  return serveRole(io, "controller", () =>
    openController(
      { paths: io.paths, log: io.log(), root: io.root() },
      flags.host ?? settings.host,
      flags.port ?? settings.controllerPort,
    ),
  );
};
