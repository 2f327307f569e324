import { resolve } from "node:path";
import { fail } from "../../base/errors.ts";
import { hostLockPath, storePath } from "../../host/index.ts";
import { tryLock } from "../../store/host-lock.ts";
import { restoreStore } from "../../store/maintenance.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "Put a backup in the place of the store. The backup is checked first; the store that was there is kept beside it as lightflow.db.replaced. No host may be running.",
  positionals: [{ name: "file", label: "backup file" }],
  examples: [{ command: "lightflow db restore ~/lightflow-before-upgrade.db", does: "back to that state" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const unlock = tryLock(hostLockPath(io.paths));
  if (unlock === null)
    throw fail("conflict", "a lightflow host is running on this store", { hint: "stop it first" });
  try {
    const path = storePath(io.paths);
    const report = restoreStore(resolve(io.cwd, positionals.file), path);
    io.print(
      { restored: path, ...report },
      () => `restored ${path}; what was there is in ${path}.replaced\n`,
    );
    return 0;
  } finally {
    unlock();
  }
};
