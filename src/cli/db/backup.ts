import { resolve } from "node:path";
import { storePath } from "../../host/index.ts";
import { backupStore } from "../../store/maintenance.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "A consistent copy of the store, also while a host is running. Artifacts and logs are files beside it: copy their directory too.",
  positionals: [{ name: "file", label: "backup file" }],
  examples: [
    { command: "lightflow db backup ~/lightflow-before-upgrade.db", does: "one file, ready to restore" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const target = resolve(io.cwd, positionals.file);
  backupStore(storePath(io.paths), target);
  io.print({ backup: target }, () => `backed up to ${target}\n`);
  return 0;
};
