import { lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tryLock } from "../store/host-lock.ts";

const PREFIX = "lightflow-run-";
/** Its process holds it for as long as it lives. */
const OWNER = "owner.lock";
/** Between the making of a directory and its lock there are milliseconds. */
const SETTLED_MS = 60_000;

export interface RunDirectory {
  readonly path: string;
  /** Remove it. */
  close(): void;
}

/** A directory for one run, or one lease, of this process. Those of this user whose process was killed go first. */
export function openRunDirectory(parent = tmpdir()): RunDirectory {
  removeAbandoned(parent);
  const path = mkdtempSync(join(parent, PREFIX));
  const release = tryLock(join(path, OWNER));
  return {
    path,
    close() {
      release?.();
      rmSync(path, { recursive: true, force: true });
    },
  };
}

function removeAbandoned(parent: string): void {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(PREFIX)) continue;
    const path = join(parent, name);
    try {
      const found = lstatSync(path);
      // Anybody may make such a name here; and a link leads elsewhere.
      if (!found.isDirectory() || found.uid !== process.getuid?.()) continue;
      if (Date.now() - found.mtimeMs < SETTLED_MS) continue;
      const release = tryLock(join(path, OWNER));
      if (release === null) continue;
      // Still held while it goes: of two processes that look, one removes it.
      rmSync(path, { recursive: true, force: true });
      release();
    } catch {
      // Another process was faster, or it cannot be read: nothing that should keep a run from starting.
    }
  }
}
