import { checksText } from "./checks-text.ts";
import type { Check } from "./doctor/check.ts";
import { checkConfig } from "./doctor/config.ts";
import { checkDirectories, checkDiskSpace, checkTemporaryDirectory } from "./doctor/files.ts";
import { checkParser, checkStore } from "./doctor/parts.ts";
import { checkPorts } from "./doctor/ports.ts";
import { checkFuse, checkGit, checkPlatform, checkSandbox } from "./doctor/system.ts";
import { EXIT } from "./exit.ts";
import type { CommandSpec, Run } from "./spec.ts";

export const spec = {
  description:
    "Tries each prerequisite for real: writes and syncs a file, parses a source, starts a sandbox, binds the ports. A warning names something that only some work needs. Nothing that it writes stays.",
  examples: [
    { command: "lightflow doctor", does: "everything, with a remedy for each failure" },
    {
      command: "lightflow doctor --json | jq '.checks[] | select(.status == \"fail\")'",
      does: "the failures alone",
    },
  ],
  exits: { 1: "a check failed" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_args, io) => {
  const checks: Check[] = [
    checkPlatform(),
    checkTemporaryDirectory(),
    checkParser(),
    checkConfig(io),
    ...checkDirectories(io.paths),
    checkDiskSpace(io.paths),
    checkStore(io.paths),
    checkGit(io.env),
    checkSandbox(io.env),
    checkFuse(io.env),
    ...(await checkPorts(io)),
  ];
  io.print({ checks }, (paint) => checksText(checks, paint));
  return checks.some((check) => check.status === "fail") ? EXIT.local : EXIT.ok;
};
