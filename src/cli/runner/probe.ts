import { resolve } from "node:path";
import { fail, toFailure } from "../../base/errors.ts";
import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { readRunnerFile } from "./file.ts";

const TIMEOUT_MS = 3_000;

export const spec = {
  description:
    "Asks the runner of this host by the healthAddress of its runner.yaml: for probes of containers, which reach no loopback from outside.",
  flags: {
    config: { type: "string", value: "FILE", required: true, about: "runner.yaml of the runner" },
    live: { type: "boolean", about: "whether it is alive, though it may take no work" },
  },
  examples: [
    {
      command: "lightflow runner probe --config /etc/lightflow/runner.yaml",
      does: "exit 0 while it takes work",
    },
  ],
  exits: { [EXIT.local]: "it is not" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const path = resolve(io.cwd, flags.config);
  const { healthAddress } = readRunnerFile(path);
  if (healthAddress === undefined) {
    throw fail("usage", `${path} has no healthAddress`, { hint: "add healthAddress: 127.0.0.1:9464" });
  }
  let answer: { status: string; reason?: string };
  let well = false;
  try {
    const response = await fetch(`http://${healthAddress}/${flags.live ? "healthz" : "readyz"}`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    well = response.ok;
    answer = (await response.json()) as typeof answer;
  } catch (error) {
    answer = { status: "no answer", reason: toFailure(error).message };
  }
  io.print(answer, () => `${answer.status}${answer.reason === undefined ? "" : `: ${answer.reason}`}\n`);
  return well ? EXIT.ok : EXIT.local;
};
