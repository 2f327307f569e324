import type { CommandSpec, Run } from "../spec.ts";
import { operateRunner } from "./operate.ts";
import { TENANT_FLAG } from "./tenant-flag.ts";

export const spec = {
  description:
    "Ask a runner to take no more work. What it runs may end; it takes work again when it is restarted.",
  positionals: [{ name: "id", label: "runner id", ids: "runner" }],
  flags: {
    reason: { type: "string", value: "TEXT", about: "why, for the audit" },
    ...TENANT_FLAG,
  },
  examples: [{ command: "lightflow runners drain builder-1", does: "before you stop that machine" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ positionals, flags }, io) =>
  operateRunner(
    io,
    "drainRunner",
    { runner_id: positionals.id, tenant: flags.tenant, reason: flags.reason },
    ({ state }) => `runner ${positionals.id} is ${String(state)}; it takes work again when it is restarted`,
  );
