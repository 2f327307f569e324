import { resolve } from "node:path";
import { fail } from "../base/errors.ts";
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
    "tls-cert": { type: "string", value: "FILE", about: "PEM certificate with its chain: serve HTTPS" },
    "tls-key": { type: "string", value: "FILE", about: "PEM key of the certificate" },
    "tls-client-ca": {
      type: "string",
      value: "FILE",
      about: "answer only runners that show a certificate of this authority (mutual TLS)",
    },
  },
  examples: [
    { command: "lightflow controller --host 10.0.0.5", does: "for runners of a private network" },
    {
      command: "lightflow controller --tls-cert c.pem --tls-key c.key --tls-client-ca runners.pem",
      does: "HTTPS for runners with a certificate alone",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ flags }, io) => {
  const settings = io.settings();
  const { "tls-cert": certificate, "tls-key": key, "tls-client-ca": clientCa } = flags;
  if ((certificate === undefined) !== (key === undefined) || (clientCa !== undefined && key === undefined)) {
    throw fail("usage", "--tls-cert and --tls-key go together, and --tls-client-ca needs both", {
      hint: "give all that belong together",
    });
  }
  const at = (path: string) => resolve(io.cwd, path);
  const tls =
    certificate === undefined || key === undefined
      ? undefined
      : {
          certificate: at(certificate),
          key: at(key),
          ...(clientCa === undefined ? {} : { clientCa: at(clientCa) }),
        };
  return serveRole(io, "controller", () =>
    openController(
      { paths: io.paths, log: io.log(), root: io.root() },
      flags.host ?? settings.host,
      flags.port ?? settings.controllerPort,
      tls,
    ),
  );
};
