import { lstatSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { walkFiles } from "./walk.ts";

/** What a result names at most, each path at most this long. */
const NAMED = 4_096;
const PATH_CHARACTERS = 4_096;
/** Of all names together: a result is one message. */
const NAMES_BYTES = 262_144;
const BASE = "base.json";

/** Each regular file by what changes when it does. The change time cannot be set by a task. */
type Files = Readonly<Record<string, string>>;

/** What version control keeps for itself is none of a task's files. */
const isRecords = (path: string): boolean => path === ".git" || path.endsWith("/.git");

function filesOf(directory: string): Files {
  const { paths } = walkFiles(
    directory,
    () => true,
    (path) => !isRecords(path),
  );
  const files: Record<string, string> = Object.create(null);
  for (const path of paths) {
    const stat = lstatSync(join(directory, path), { bigint: true, throwIfNoEntry: false });
    if (stat !== undefined) files[path] = `${stat.ino}:${stat.size}:${stat.ctimeNs}`;
  }
  return files;
}

/** Keep what a workspace holds before a task, out of the task's reach. A new workspace holds nothing and costs nothing. */
export function recordBase(directory: string, leaseDirectory: string): void {
  const files = filesOf(directory);
  if (Object.keys(files).length > 0) writeFileSync(join(leaseDirectory, BASE), JSON.stringify(files));
}

/**
 * The files of a workspace that are new, changed or gone since {@link recordBase}, in byte order. Only when nothing of
 * the task runs any more. More than a result may name are cut off at the end.
 */
export function changedFiles(directory: string, leaseDirectory: string): string[] {
  const before = baseOf(leaseDirectory);
  const after = filesOf(directory);
  const changed = new Set<string>();
  for (const [path, state] of Object.entries(after)) if (before[path] !== state) changed.add(path);
  for (const path of Object.keys(before)) if (after[path] === undefined) changed.add(path);
  const named: string[] = [];
  let bytes = 0;
  for (const path of [...changed].sort()) {
    bytes += Buffer.byteLength(path);
    if (named.length === NAMED || bytes > NAMES_BYTES) break;
    if (path.length <= PATH_CHARACTERS) named.push(path.toWellFormed());
  }
  return named;
}

function baseOf(leaseDirectory: string): Files {
  try {
    return Object.assign(
      Object.create(null),
      JSON.parse(readFileSync(join(leaseDirectory, BASE), "utf8")) as Files,
    );
  } catch {
    return {};
  }
}
