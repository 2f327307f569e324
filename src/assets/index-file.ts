import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { sha256 } from "../base/canonical.ts";
import { randomToken } from "../base/ids.ts";
import { VERSION } from "../base/version.ts";
import type { AssetDiagnostic } from "./diagnostics.ts";
import type { AssetMeta } from "./kinds.ts";

/** Raised when what an entry holds, or how files are read, changes. */
const FORMAT = 1;

/** What a list needs of one file. */
export interface IndexEntry {
  /** Inode, size and times: another file, or another content, has another stamp. */
  readonly stamp: string;
  readonly meta: AssetMeta | null;
  readonly sha256: string;
  /** Where `META.id` stands: offset into the text. */
  readonly id: number;
  /** The first error of the file. */
  readonly diagnostic: AssetDiagnostic | null;
}

/** Entries by the file's path. */
export type IndexEntries = Record<string, IndexEntry>;

/** Of each project, of each build: two builds may read a file differently. */
export function indexPath(directory: string, root: string): string {
  return join(directory, `${sha256(root).slice(0, 32)}.json`);
}

/** The index as it was left, or nothing: it can always be made again. */
export function readIndex(path: string): IndexEntries {
  try {
    const stored = JSON.parse(readFileSync(path, "utf8")) as {
      format?: unknown;
      version?: unknown;
      entries?: unknown;
    };
    if (stored.format !== FORMAT || stored.version !== VERSION || typeof stored.entries !== "object")
      return {};
    return (stored.entries ?? {}) as IndexEntries;
  } catch {
    return {};
  }
}

/**
 * Leave the index for the next call. It appears whole or not at all; it needs no fsync, since a cut text is not JSON. A
 * directory that cannot be written to costs time, nothing else.
 */
export function writeIndex(path: string, entries: IndexEntries): void {
  const temporary = `${path}.${randomToken(6)}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(temporary, JSON.stringify({ format: FORMAT, version: VERSION, entries }), {
      flag: "wx",
      mode: 0o600,
    });
    renameSync(temporary, path);
  } catch {
    rmSync(temporary, { force: true });
  }
}
