import { fail } from "../base/errors.ts";
import { startRemoteRunner } from "../host/index.ts";
import { RUNNER_FLAGS } from "./runner/flags.ts";
import { CONFIG_FLAG, runnerSetup } from "./runner/setup.ts";
import { exitOf, untilStopped } from "./serve-role.ts";
import type { CommandSpec, Run } from "./spec.ts";

export const spec = {
  description:
    "The runner role alone: it calls a controller, claims leases and runs exactly what each allows. It listens on nothing but, where asked to, a health port of this host. Ctrl-C or SIGTERM lets running tasks end.",
  flags: {
    config: CONFIG_FLAG,
    controller: {
      type: "string",
      value: "URL",
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
    { command: "lightflow runner --config /etc/lightflow/runner.yaml", does: "as a service would" },
    {
      command:
        "lightflow runner --controller http://127.0.0.1:5175 --token-file ~/runner.token --id builder-1",
      does: "offer this machine to a controller",
    },
  ],
} as const satisfies CommandSpec;

/** By then it is registered and waits. */
const SETTLED_MS = 2_000;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const stop = io.stop();
  const { controllerUrl, credentialFile, tls, config } = runnerSetup(flags, io);
  if (controllerUrl === null) {
    throw fail("usage", "no controller is named", {
      hint:
        flags.config === undefined
          ? "give --controller, or --config runner.yaml"
          : "add controllerUrl to the file",
    });
  }
  const running = startRemoteRunner({
    tls,
    controllerUrl,
    tokenFile: credentialFile,
    config,
    log: io.log(),
  });
  running.ready.then(
    async () => {
      const sandboxes = (await running.sandboxes).map((each) => each.provider);
      if (io.json) {
        io.stdout.line(
          JSON.stringify({ ready: true, role: "runner", id: config.runnerId, sandboxes, pid: process.pid }),
        );
      } else io.stdout.line(`runner ${config.runnerId} is ready: ${sandboxes.join(", ")}`);
    },
    // `closed` rejects with the same failure, and is waited for.
    () => {},
  );
  const settled = setTimeout(() => {
    void import("../base/release-pages.ts").then(({ releaseStartPages }) => {
      Bun.gc(true);
      releaseStartPages();
    });
  }, SETTLED_MS);
  await Promise.race([untilStopped(stop), running.closed]);
  clearTimeout(settled);
  await running.stop({ drain: true });
  return exitOf(stop);
};
