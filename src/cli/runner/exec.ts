import { resolve } from "node:path";
import { fail } from "../../base/errors.ts";
import { exampleLease, execLease } from "../../host/runner-tools.ts";
import { EXIT } from "../exit.ts";
import { readJsonArgument } from "../inputs.ts";
import { openRunDirectory } from "../run-directory.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { RUNNER_FLAGS, secretSource } from "./flags.ts";

export const spec = {
  description:
    "Run one lease with no server, for development: the same sandbox, journal and collection as a real one. The task's output goes to stderr, its result to stdout. Its signature is not checked.",
  positionals: [{ name: "lease", label: "lease file; - for stdin", optional: true }],
  flags: {
    example: { type: "boolean", about: "print a lease to begin with, and run nothing" },
    "data-dir": {
      type: "string",
      value: "DIR",
      about: "journal, workspaces and artifacts",
      defaultText: "a temporary one, removed afterwards",
    },
    secret: RUNNER_FLAGS.secret,
  },
  examples: [
    {
      command: "lightflow runner exec --example >lease.json",
      does: "a lease that says hello, to be changed",
    },
    { command: "lightflow runner exec lease.json", does: "what that lease allows, here and now" },
  ],
  exits: { [EXIT.failed]: "the task did not succeed" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const given = positionals.lease;
  if (flags.example) {
    if (given !== undefined) throw fail("usage", "--example takes no lease", { hint: "it prints one" });
    io.stdout.write(`${JSON.stringify(exampleLease(), null, 2)}\n`);
    return EXIT.ok;
  }
  if (given === undefined) {
    throw fail("usage", "missing the lease", {
      hint: "lightflow runner exec --example prints one to begin with",
    });
  }
  const lease = await readJsonArgument(given === "-" ? given : `@${given}`, "the lease", io);
  const stop = io.stop();
  const { runner } = io.settings();
  const named = flags["data-dir"];
  const directory = named === undefined ? openRunDirectory() : null;
  try {
    const result = await execLease(lease, {
      dataDirectory: directory?.path ?? resolve(io.cwd, named!),
      secrets: Object.fromEntries(flags.secret.map((text) => secretSource(text, io.cwd))),
      log: io.log(),
      signal: stop,
      ...(runner.browser === undefined ? {} : { browser: { executable: runner.browser } }),
    });
    if (directory !== null && result.artifactRefs.length > 0)
      io.log().warn("the artifacts were not kept; --data-dir DIR keeps them");
    io.print(result, () => `${result.status}: ${result.summary}\n`);
    return result.status === "succeeded" ? EXIT.ok : EXIT.failed;
  } finally {
    directory?.close();
  }
};
