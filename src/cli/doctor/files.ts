import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { childEnvironment } from "../../base/child-env.ts";
import { MIB } from "../../base/limits.ts";
import type { Paths } from "../../base/xdg.ts";
import { type Check, failure, good, messageOf, warning } from "./check.ts";

/** Below this a run cannot even keep its logs. */
const SPACE_FAIL_BYTES = 64 * MIB;
const SPACE_WARN_BYTES = 1024 * MIB;

/** The directory itself, or the nearest one above it that exists: where the first run would make it. */
export function nearestExisting(path: string): string {
  let at = path;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}

/** Work in a new directory under `parent` that is gone afterwards. */
export function withScratch<Result>(parent: string, work: (path: string) => Result): Result {
  const path = mkdtempSync(join(parent, ".lightflow-doctor-"));
  try {
    return work(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

/** The native part of the parser is unpacked into the temporary directory and mapped as code from there. */
export function checkTemporaryDirectory(): Check {
  const name = "temporary directory";
  const path = tmpdir();
  const remedy = "set TMPDIR to a directory that you may write to and that is not mounted noexec";
  try {
    return withScratch(path, (scratch) => {
      const script = join(scratch, "run");
      writeFileSync(script, "#!/bin/sh\nexit 0\n", { mode: 0o700 });
      const { exitCode } = Bun.spawnSync([script], {
        env: childEnvironment(),
        stdout: "ignore",
        stderr: "ignore",
      });
      return exitCode === 0 ? good(name, path) : failure(name, `${path} does not allow execution`, remedy);
    });
  } catch (error) {
    return failure(name, `${path}: ${messageOf(error)}`, remedy);
  }
}

export function checkDirectories(paths: Paths): Check[] {
  const variables = {
    config: "XDG_CONFIG_HOME",
    state: "XDG_STATE_HOME",
    cache: "XDG_CACHE_HOME",
    runtime: "XDG_RUNTIME_DIR",
  } as const;
  return (Object.keys(variables) as (keyof typeof variables)[]).map((kind) => {
    const name = `${kind} directory`;
    const path = paths[kind];
    try {
      withScratch(nearestExisting(path), (scratch) => {
        const fd = openSync(join(scratch, "file"), "wx", 0o600);
        try {
          writeSync(fd, "lightflow");
          fsyncSync(fd);
        } finally {
          closeSync(fd);
        }
      });
    } catch (error) {
      const remedy = `set ${variables[kind]} to a directory that you own`;
      // Settings are only read; a place for them that cannot be written is no obstacle.
      return kind === "config"
        ? warning(name, messageOf(error), remedy)
        : failure(name, messageOf(error), remedy);
    }
    return good(name, existsSync(path) ? path : `${path} (will be made)`);
  });
}

export function checkDiskSpace(paths: Paths): Check {
  const name = "disk space";
  try {
    const { bavail, bsize } = statfsSync(nearestExisting(paths.state));
    const free = bavail * bsize;
    const detail = `${(free / 1024 / MIB).toFixed(1)} GiB free for ${paths.state}`;
    const remedy = "free some space, or set XDG_STATE_HOME to a larger disk";
    if (free < SPACE_FAIL_BYTES) return failure(name, detail, remedy);
    return free < SPACE_WARN_BYTES ? warning(name, detail, remedy) : good(name, detail);
  } catch (error) {
    return failure(name, messageOf(error), "set XDG_STATE_HOME to a directory that you own");
  }
}
