import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseTypeScript } from "../../assets/parser.ts";
import type { Paths } from "../../base/xdg.ts";
import { openWriter } from "../../store/sqlite/open.ts";
import { type Check, failure, good, messageOf, warning } from "./check.ts";
import { nearestExisting, withScratch } from "./files.ts";

/** The native parser is loaded and used on a small source. */
export function checkParser(): Check {
  const name = "asset parser";
  const remedy = `set TMPDIR to a directory that is writable and not mounted noexec (it is ${tmpdir()})`;
  try {
    const { program, problems } = parseTypeScript("export const META = { id: 'workflow.x' } as const;\n");
    if (program.body.length === 1 && problems.length === 0) return good(name, "parses TypeScript");
    return failure(
      name,
      "the parser read a sound file wrongly",
      "reinstall lightflow; its file may be damaged",
    );
  } catch (error) {
    return failure(name, messageOf(error), remedy);
  }
}

/** A real store is made, committed to with fsync, and removed, on the disk where the store is or will be. */
export function checkStore(paths: Paths): Check {
  const name = "store";
  const remedy = "put XDG_STATE_HOME on a local disk (network file systems lack the locks and shared memory)";
  try {
    return withScratch(nearestExisting(paths.state), (scratch) => {
      const path = join(scratch, "doctor.db");
      const start = performance.now();
      const store = openWriter(path);
      const isWal = existsSync(`${path}-wal`);
      store.close();
      const ms = Math.round(performance.now() - start);
      if (!isWal) return failure(name, "SQLite cannot keep a write-ahead log there", remedy);
      const detail = `SQLite with write-ahead log and fsync, made in ${ms} ms`;
      return ms > 2000
        ? warning(name, `${detail}: a slow disk`, "put XDG_STATE_HOME on a faster disk")
        : good(name, detail);
    });
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    const isRefused = code === "EACCES" || code === "EROFS" || code === "EPERM";
    const own = "set XDG_STATE_HOME to a directory that you own";
    return failure(name, messageOf(error), isRefused ? own : remedy);
  }
}
