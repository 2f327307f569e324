import { constants } from "node:fs";
import { open, readlink, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve } from "node:path";
import { fail } from "../../../src/base/errors.ts";
import type { JsonObject } from "../../../src/base/json.ts";

const MAX_BYTES = 1 << 20;

/**
 * Read a text file below `root`, with no more rights than the caller has: the daemon may be root. The path is judged
 * before the file is opened, since opening a device can already act, and what was opened is judged again, so that a
 * symlink or a rename in between cannot lead elsewhere.
 */
export async function readConfinedFile(root: string, path: string, uid: number): Promise<JsonObject> {
  if (root === "") {
    throw fail("forbidden", "no directory is set for filesystem.read", {
      hint: "write tool/filesystem.read/root",
    });
  }
  const denied = () =>
    fail("forbidden", `${path} is outside the directory of filesystem.read, or not readable for you`);
  const base = await realpath(root).catch(() => {
    throw fail("not_found", "the directory of filesystem.read does not exist");
  });
  const wanted = resolve(base, path);
  // Outside the directory, even whether a file exists is not told.
  if (!isInside(base, wanted)) throw denied();
  const real = await realpath(wanted).catch((error: NodeJS.ErrnoException) => {
    throw error.code === "ENOENT" ? fail("not_found", `no such file: ${path}`) : denied();
  });
  if (!isInside(base, real)) throw denied();
  if (!(await stat(real)).isFile()) throw fail("invalid_request", `${path} is not a regular file`);
  const handle = await open(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW).catch(
    () => {
      throw denied();
    },
  );
  try {
    const opened = await readlink(`/proc/self/fd/${handle.fd}`);
    if (!isInside(base, opened)) throw denied();
    const info = await handle.stat();
    if (!info.isFile()) throw fail("invalid_request", `${path} is not a regular file`);
    const readable = uid === 0 || (info.uid === uid ? (info.mode & 0o400) !== 0 : (info.mode & 0o004) !== 0);
    const inside = relative(base, opened);
    if (!readable || !(await reachable(base, inside, uid))) throw denied();
    if (info.size > MAX_BYTES) throw fail("payload_too_large", `${path} is larger than ${MAX_BYTES} bytes`);
    return { path: inside, content: await handle.readFile("utf8") };
  } finally {
    await handle.close();
  }
}

function isInside(base: string, path: string): boolean {
  const inside = relative(base, path);
  return inside !== "" && inside !== ".." && !inside.startsWith("../") && !isAbsolute(inside);
}

/** Whether the caller may pass through every directory between the root and the file. Group rights are not counted. */
async function reachable(base: string, inside: string, uid: number): Promise<boolean> {
  if (uid === 0) return true;
  const names = inside.split("/").slice(0, -1);
  for (let depth = 0; depth <= names.length; depth++) {
    const info = await stat(join(base, ...names.slice(0, depth)));
    if ((info.uid === uid ? info.mode & 0o100 : info.mode & 0o001) === 0) return false;
  }
  return true;
}
