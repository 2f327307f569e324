import { lstatSync, mkdirSync, statfsSync } from "node:fs";
import { sha256 } from "../../../base/canonical.ts";
import { fail } from "../../../base/errors.ts";

const SHARED = "/dev/shm";
const TMPFS = 0x01021994;

/** Whether this host has a directory whose files never reach a disk. */
export function hasMemoryDirectory(): boolean {
  try {
    return statfsSync(SHARED).type === TMPFS;
  } catch {
    return false;
  }
}

/**
 * Where the bundles of a runner are, in memory: the configuration of a container holds the environment of its task, and with
 * it the task's secrets.
 */
export const memoryDirectory = (dataDirectory: string): string =>
  `${SHARED}/lightflow-${process.getuid?.() ?? 0}-${sha256(dataDirectory).slice(0, 16)}`;

/** Make it, for this user alone. @throws Failure `execution_start_failed` where somebody else has made one of its name */
export function makeMemoryDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const stat = lstatSync(path);
  if (!stat.isDirectory() || stat.uid !== process.getuid?.() || (stat.mode & 0o077) !== 0)
    throw fail("execution_start_failed", `${path} is not this user's own directory`, {
      hint: `find out who made it, and remove it`,
    });
}
