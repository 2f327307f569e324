import { resolve } from "node:path";
import { fail } from "../base/errors.ts";
import { startRemoteRunner } from "../host/index.ts";
import { RUNNER_FLAGS, runnerConfig } from "./runner/flags.ts";
import { exitOf, untilStopped } from "./serve-role.ts";
import type { CommandSpec, Run } from "./spec.ts";

export const spec = {
  description:
    "The runner role alone: it calls a controller, claims leases and runs exactly what each allows. It listens on nothing. Ctrl-C or SIGTERM lets running tasks end.",
  flags: {
    controller: {
      type: "string",
      value: "URL",
      required: true,
      about: "the controller, such as http://10.0.0.5:5175",
    },
    "token-file": {
      type: "string",
      value: "FILE",
      about: "the enrolment token that `lightflow runner enroll` wrote; mode 0600; for the first start alone",
    },
    "tls-ca": { type: "string", value: "FILE", about: "PEM authority of the controller's certificate" },
    "tls-cert": { type: "string", value: "FILE", about: "PEM certificate to show to the controller" },
    "tls-key": { type: "string", value: "FILE", about: "its PEM key; mode 0600" },
    ...RUNNER_FLAGS,
  },
  examples: [
    {
      command:
        "lightflow runner --controller http://127.0.0.1:5175 --token-file ~/runner.token --id builder-1",
      does: "offer this machine to a controller",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const stop = io.stop();
  if (!URL.canParse(flags.controller)) throw fail("usage", `--controller is not a URL: ${flags.controller}`);
  if ((flags["tls-cert"] === undefined) !== (flags["tls-key"] === undefined)) {
    throw fail("usage", "--tls-cert and --tls-key go together", { hint: "give both" });
  }
  const pem = (path: string | undefined) => (path === undefined ? undefined : resolve(io.cwd, path));
  const running = startRemoteRunner({
    tls: { ca: pem(flags["tls-ca"]), certificate: pem(flags["tls-cert"]), key: pem(flags["tls-key"]) },
    controllerUrl: flags.controller.replace(/\/+$/, ""),
    tokenFile: flags["token-file"] === undefined ? null : resolve(io.cwd, flags["token-file"]),
    config: runnerConfig(flags, io),
    log: io.log(),
  });
  running.ready.then(
    async () => {
      const sandboxes = (await running.sandboxes).map((each) => each.provider);
      if (io.json) {
        io.stdout.line(
          JSON.stringify({ ready: true, role: "runner", id: flags.id, sandboxes, pid: process.pid }),
        );
      } else io.stdout.line(`runner ${flags.id} is ready: ${sandboxes.join(", ")}`);
    },
    // `closed` rejects with the same failure, and is waited for.
    () => {},
  );
  await Promise.race([untilStopped(stop), running.closed]);
  await running.stop({ drain: true });
  return exitOf(stop);
};
