import { openGateway } from "../host/index.ts";
import { GATEWAY_FLAGS, gatewayOptions, HOST_FLAG, portFlag } from "./listen-flags.ts";
import { serveRole } from "./serve-role.ts";
import type { CommandSpec, Run } from "./spec.ts";

export const spec = {
  description:
    "The HTTP gateway alone. Starting or cancelling a run needs an orchestrator on this host; without one such a request is refused as no_orchestrator.",
  flags: {
    host: HOST_FLAG,
    port: portFlag("0 takes a free one", "5174"),
    ...GATEWAY_FLAGS,
  },
  examples: [{ command: "lightflow serve --port 5174", does: "http://127.0.0.1:5174/runs" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ flags }, io) => {
  const settings = io.settings();
  return serveRole(io, "gateway", () =>
    openGateway(
      { paths: io.paths, log: io.log(), root: io.root() },
      {
        host: flags.host ?? settings.host,
        port: flags.port ?? settings.port,
        ...gatewayOptions(flags),
      },
    ),
  );
};
