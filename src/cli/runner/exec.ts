import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { execLease } from "../../host/runner-tools.ts";
import { EXIT } from "../exit.ts";
import { readJsonArgument } from "../inputs.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { RUNNER_FLAGS, secretSource } from "./flags.ts";

export const spec = {
  description:
    "Run one lease with no server, for development: the same sandbox, journal and collection as a real one. The task's output goes to stderr, its result to stdout. Its signature is not checked.",
  positionals: [{ name: "lease", label: "lease file" }],
  flags: {
    "data-dir": {
      type: "string",
      value: "DIR",
      about: "journal, workspaces and artifacts",
      defaultText: "a new temporary directory",
    },
    secret: RUNNER_FLAGS.secret,
  },
  examples: [{ command: "lightflow runner exec lease.json", does: "what that lease allows, here and now" }],
  exits: { [EXIT.failed]: "the task did not succeed" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const given = positionals.lease;
  const lease = await readJsonArgument(given === "-" ? given : `@${given}`, "the lease", io);
  const stop = io.stop();
  const { runner } = io.settings();
  const result = await execLease(lease, {
    dataDirectory:
      flags["data-dir"] === undefined
        ? mkdtempSync(join(tmpdir(), "lightflow-exec-"))
        : resolve(io.cwd, flags["data-dir"]),
    secrets: Object.fromEntries(flags.secret.map(secretSource)),
    signal: stop,
    ...(runner.browser === undefined ? {} : { browser: { executable: runner.browser } }),
  });
  io.print(result, () => `${result.status}: ${result.summary}\n`);
  return result.status === "succeeded" ? EXIT.ok : EXIT.failed;
};
