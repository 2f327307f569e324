import { describeRunner } from "../../host/runner-tools.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { RUNNER_FLAGS } from "./flags.ts";
import { CONFIG_FLAG, runnerSetup } from "./setup.ts";

export const spec = {
  description:
    "The admission document of a runner of this host with these flags: executable, configuration, sandboxes as they are proven here. Give it to whoever operates the controller, and start the runner with the same flags.",
  flags: { config: CONFIG_FLAG, ...RUNNER_FLAGS },
  examples: [
    {
      command: "lightflow runner describe --id builder-1 >builder-1.json",
      does: "then: lightflow runner enroll builder-1 --admission builder-1.json --out builder-1.token",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  io.print(await describeRunner(runnerSetup(flags, io).config));
  return 0;
};
