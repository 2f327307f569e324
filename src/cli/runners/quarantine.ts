import type { CommandSpec, Run } from "../spec.ts";
import { operateRunner } from "./operate.ts";
import { TENANT_FLAG } from "./tenant-flag.ts";

export const spec = {
  description:
    "Take a runner out at once: its credentials are revoked and its leases end, by its admission at once or by themselves. New runners of its host are kept out too. Only `runners release` brings it back.",
  positionals: [{ name: "id", label: "runner id", ids: "runner" }],
  flags: {
    reason: { type: "string", value: "TEXT", about: "why, for the audit" },
    ...TENANT_FLAG,
  },
  examples: [
    {
      command: 'lightflow runners quarantine builder-1 --reason "strange traffic"',
      does: "it gets no work, and its work is taken back",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ positionals, flags }, io) =>
  operateRunner(
    io,
    "quarantineRunner",
    { runner_id: positionals.id, tenant: flags.tenant, reason: flags.reason },
    ({ changed }) =>
      changed === true
        ? `runner ${positionals.id} is quarantined`
        : `runner ${positionals.id} was quarantined already`,
  );
