import { closeSync, constants, fstatSync, openSync, readdirSync, type Stats } from "node:fs";

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Non-blocking, since opening a FIFO for reading would wait for its writer for ever. */
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** An open regular file; the caller closes `descriptor`. */
export interface OpenedFile {
  readonly descriptor: number;
  readonly stat: Stats;
}

/**
 * Open one name inside an open directory, as `openat` would: through the descriptor, so that no component above it
 * can be exchanged for a link in between.
 */
const openIn = (directory: number, name: string, flags: number): number =>
  openSync(`/proc/self/fd/${directory}/${name}`, flags);

const isPlain = (name: string): boolean =>
  name !== "" && name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0");

/**
 * Open a regular file by a relative path below `root`, component by component, following no link.
 * Null when something on the way is missing, a link, or not of the right kind.
 */
export function openBelow(root: string, path: string): OpenedFile | null {
  const names = path.split("/");
  if (!names.every(isPlain)) return null;
  const opened: number[] = [];
  try {
    opened.push(openSync(root, DIRECTORY));
    for (const name of names.slice(0, -1)) opened.push(openIn(opened.at(-1)!, name, DIRECTORY));
    const descriptor = openIn(opened.at(-1)!, names.at(-1)!, FILE);
    const stat = fstatSync(descriptor);
    if (stat.isFile()) return { descriptor, stat };
    closeSync(descriptor);
    return null;
  } catch {
    return null;
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

/** More entries than this in one workspace are a mistake or an attack. */
const MAXIMUM_ENTRIES = 200_000;
const MAXIMUM_DEPTH = 64;

/**
 * Relative paths of the regular files below `root` that `matches` takes, in byte order. Links are never followed;
 * `enters` says which directories are worth reading.
 */
export function walkFiles(
  root: string,
  matches: (path: string) => boolean,
  enters: (path: string) => boolean,
): { readonly paths: string[]; readonly complete: boolean } {
  const paths: string[] = [];
  let entries = 0;
  let complete = true;
  const visit = (directory: number, prefix: string, depth: number): void => {
    for (const entry of readdirSync(`/proc/self/fd/${directory}`, { withFileTypes: true })) {
      if (++entries > MAXIMUM_ENTRIES) {
        complete = false;
        return;
      }
      const path = prefix + entry.name;
      if (entry.isFile()) {
        if (matches(path)) paths.push(path);
      } else if (entry.isDirectory() && enters(path)) {
        if (depth >= MAXIMUM_DEPTH) {
          complete = false;
          continue;
        }
        let child: number;
        try {
          child = openIn(directory, entry.name, DIRECTORY);
        } catch {
          continue;
        }
        try {
          visit(child, `${path}/`, depth + 1);
        } finally {
          closeSync(child);
        }
      }
    }
  };
  const descriptor = openSync(root, DIRECTORY);
  try {
    visit(descriptor, "", 0);
  } finally {
    closeSync(descriptor);
  }
  paths.sort();
  return { paths, complete };
}
