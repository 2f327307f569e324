import type { CommandSpec, Run } from "../spec.ts";
import { operateRunner } from "./operate.ts";
import { TENANT_FLAG } from "./tenant-flag.ts";

export const spec = {
  description:
    "Accept what a runner reports: changed hashes of a roll-out, its last snapshot, a runner that is new. A suspicious runner gets work again; one that was refused registers by itself.",
  positionals: [{ name: "id", label: "runner id", ids: "runner" }],
  flags: {
    ...TENANT_FLAG,
  },
  examples: [
    { command: "lightflow runners approve builder-1", does: "after a roll-out that you have looked at" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ positionals, flags }, io) =>
  operateRunner(io, "approveRunner", { runner_id: positionals.id, tenant: flags.tenant }, ({ approved }) => {
    const names = Object.keys(approved as object);
    return `runner ${positionals.id} is approved${names.length === 0 ? "" : ` with its new ${names.join(", ")}`}`;
  });
