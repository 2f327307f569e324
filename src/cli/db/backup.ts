import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { storePath } from "../../host/index.ts";
import { backupStore } from "../../store/maintenance.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "A consistent copy of the store, also while a host is running. Artifacts, logs and the key of the secrets are files beside it: copy them too.",
  positionals: [{ name: "file", label: "backup file" }],
  examples: [
    { command: "lightflow db backup ~/lightflow-before-upgrade.db", does: "one file, ready to restore" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const target = resolve(io.cwd, positionals.file);
  backupStore(storePath(io.paths), target);
  const key = join(io.paths.state, "secrets.key");
  const needs = existsSync(key) ? [key] : [];
  io.print({ backup: target, also_copy: [...needs, join(io.paths.state, "artifacts")] }, () =>
    needs.length === 0
      ? `backed up to ${target}\n`
      : `backed up to ${target}\nnot in it: ${key}, without which no secret of the backup can be read. Keep a copy apart from the backup.\n`,
  );
  return 0;
};
