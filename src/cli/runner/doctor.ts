import { hostname } from "node:os";
import { join } from "node:path";
import { diagnoseRunner } from "../../host/runner-tools.ts";
import { checksText } from "../checks-text.ts";
import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "Each capability that a runner here would offer, tried for real: sandboxes, isolation of network and files, limits, clock, disk.",
  flags: { controller: { type: "string", value: "URL", about: "try to reach this controller too" } },
  examples: [
    {
      command: "lightflow runner doctor --controller http://10.0.0.5:5175",
      does: "before enrolling this machine",
    },
  ],
  exits: { [EXIT.local]: "a check failed" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const config = {
    runnerId: "doctor",
    tenantId: "default",
    hostId: hostname(),
    runnerPools: ["default"],
    executionProfiles: ["default"],
    dataDirectory: join(io.paths.state, "runner-doctor"),
    slots: 1,
    sandbox: io.settings().runner.sandbox,
  };
  const checks = await diagnoseRunner(
    config,
    flags.controller === undefined ? {} : { controllerUrl: flags.controller },
  );
  io.print({ checks }, (paint) => checksText(checks, paint));
  return checks.some((check) => check.status === "fail") ? EXIT.local : EXIT.ok;
};
