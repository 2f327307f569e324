import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { fail } from "./errors.ts";

const MAXIMUM_BYTES = 65_536;

/**
 * The text of a file that holds a credential: a regular file, no link, owned by this user and readable by
 * nobody else.
 * @throws Failure `secret_denied` with the command that mends it
 */
export function readPrivateFile(path: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw fail("secret_denied", `${path} cannot be opened as a plain file`, {
      hint: "it must exist, be readable by this user, and not be a symbolic link",
      cause: error,
    });
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw fail("secret_denied", `${path} is not a regular file`);
    if (stat.uid !== process.geteuid!()) {
      throw fail("secret_denied", `${path} belongs to another user`, {
        hint: `chown ${process.geteuid!()} '${path}'`,
      });
    }
    if ((stat.mode & 0o077) !== 0) {
      throw fail("secret_denied", `${path} may be read by others`, { hint: `chmod 600 '${path}'` });
    }
    if (stat.size > MAXIMUM_BYTES) throw fail("secret_denied", `${path} is larger than a secret`);
    return readFileSync(descriptor, "utf8").replace(/\r?\n$/, "");
  } finally {
    closeSync(descriptor);
  }
}
