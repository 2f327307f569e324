import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { randomToken } from "./ids.ts";

/** fsync a directory, so that a rename or a new name in it survives a power cut. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Make a directory that only its owner may enter. */
export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

function writeAll(fd: number, data: Uint8Array): void {
  for (let offset = 0; offset < data.length; ) offset += writeSync(fd, data, offset, data.length - offset);
}

/**
 * Replace a file so that a reader sees the old bytes or the new ones, and a crash leaves one of the two:
 * unique temporary name, fsync, rename, fsync of the directory.
 */
export function writeFileDurable(path: string, data: string | Uint8Array, mode = 0o600): void {
  const temporary = `${path}.${randomToken(6)}.tmp`;
  const fd = openSync(temporary, "wx", mode);
  try {
    writeAll(fd, typeof data === "string" ? Buffer.from(data) : data);
    fsyncSync(fd);
    closeSync(fd);
    renameSync(temporary, path);
  } catch (error) {
    try {
      closeSync(fd);
    } catch {}
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}
