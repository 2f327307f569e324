import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { diagnoseRunner } from "../../host/runner-tools.ts";
import { checksText } from "../checks-text.ts";
import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { readRunnerFile } from "./file.ts";
import { CONFIG_FLAG, setupOfFile } from "./setup.ts";

export const spec = {
  description:
    "Each capability that a runner here would offer, tried for real: sandboxes, isolation of network and files, limits, clock, disk.",
  flags: {
    config: { ...CONFIG_FLAG, about: "try what this runner.yaml asks for" },
    controller: { type: "string", value: "URL", about: "try to reach this controller too" },
  },
  examples: [
    {
      command: "lightflow runner doctor --controller http://10.0.0.5:5175",
      does: "before enrolling this machine",
    },
  ],
  exits: { [EXIT.local]: "a check failed" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const setup =
    flags.config === undefined ? null : setupOfFile(readRunnerFile(resolve(io.cwd, flags.config)), io);
  const { runner } = io.settings();
  const config = setup?.config ?? {
    runnerId: "doctor",
    tenantId: "default",
    hostId: hostname(),
    runnerPools: ["default"],
    executionProfiles: ["default"],
    dataDirectory: join(io.paths.state, "runner-doctor"),
    slots: 1,
    sandbox: runner.sandbox,
    ...(runner.browser === undefined ? {} : { browser: { executable: runner.browser } }),
  };
  const controllerUrl = flags.controller ?? setup?.controllerUrl ?? undefined;
  const checks = await diagnoseRunner(config, {
    ...(controllerUrl === undefined ? {} : { controllerUrl }),
    ...(setup === null ? {} : { credentialFile: setup.credentialFile, tls: setup.tls }),
  });
  io.print({ checks }, (paint) => checksText(checks, paint));
  return checks.some((check) => check.status === "fail") ? EXIT.local : EXIT.ok;
};
