import type { CommandSpec, Run } from "../spec.ts";
import { operateRunner } from "./operate.ts";
import { TENANT_FLAG } from "./tenant-flag.ts";

export const spec = {
  description:
    "Ask a runner to show what it runs with, now: commands, sandbox templates, mounts, network policy, secret bindings. A difference from what was approved quarantines it.",
  positionals: [{ name: "id", label: "runner id", ids: "runner" }],
  flags: {
    ...TENANT_FLAG,
  },
  examples: [
    { command: "lightflow runners audit builder-1", does: "the outcome is in `lightflow audit tail`" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ positionals, flags }, io) =>
  operateRunner(
    io,
    "auditRunner",
    { runner_id: positionals.id, tenant: flags.tenant },
    () => `runner ${positionals.id} is asked`,
  );
