import { readFileSync } from "node:fs";
import { type Failure, fail } from "./errors.ts";

/** Why a file that a caller named cannot be read, without the words of the system call. */
export function unreadable(path: string, error: unknown): Failure {
  const { code, message } = error as NodeJS.ErrnoException;
  const options = { cause: error };
  if (code === "ENOENT" || code === "ENOTDIR") return fail("io", `there is no file ${path}`, options);
  if (code === "EISDIR") return fail("io", `${path} is a directory, not a file`, options);
  if (code === "EACCES" || code === "EPERM")
    return fail("io", `cannot read ${path}: its permissions do not allow it to this user`, options);
  return fail("io", `cannot read ${path}: ${message}`, options);
}

/** A file that a caller named, as text. @throws Failure `io` */
export function readTextFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** A file that a caller named, as bytes. @throws Failure `io` */
export function readBytesFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}
