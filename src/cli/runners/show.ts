import type { CommandSpec, Run } from "../spec.ts";
import { operateRunner } from "./operate.ts";
import { TENANT_FLAG } from "./tenant-flag.ts";

export const spec = {
  description:
    "Everything about one runner: what was approved, what was pinned at its first registration, what it reports now, and its session.",
  positionals: [{ name: "id", label: "runner id", ids: "runner" }],
  flags: {
    ...TENANT_FLAG,
  },
  examples: [{ command: "lightflow runners show builder-1", does: "all of it" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ positionals, flags }, io) =>
  operateRunner(io, "getRunner", { runner_id: positionals.id, tenant: flags.tenant });
