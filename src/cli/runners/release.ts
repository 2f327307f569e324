import type { CommandSpec, Run } from "../spec.ts";
import { operateRunner } from "./operate.ts";
import { TENANT_FLAG } from "./tenant-flag.ts";

export const spec = {
  description:
    "End a quarantine. The runner proves its key again and is compared with what was approved again.",
  positionals: [{ name: "id", label: "runner id", ids: "runner" }],
  flags: {
    ...TENANT_FLAG,
  },
  examples: [
    { command: "lightflow runners release builder-1", does: "after you have looked at what it did" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ positionals, flags }, io) =>
  operateRunner(io, "releaseRunner", { runner_id: positionals.id, tenant: flags.tenant }, ({ changed }) =>
    changed === true
      ? `runner ${positionals.id} may register again`
      : `runner ${positionals.id} was not quarantined`,
  );
