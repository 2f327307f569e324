import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { fail } from "./errors.ts";

const MAXIMUM_BYTES = 65_536;

const UNOPENED: Readonly<Record<string, readonly [why: string, hint: string]>> = {
  ENOENT: ["does not exist", "write the credential there with mode 0600, or name another file"],
  ELOOP: ["is a symbolic link", "name the file itself: a link may be turned elsewhere"],
  EACCES: ["may not be read by this user", "it has to belong to the user that reads it, with mode 0600"],
};

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
    const { code = "" } = error as NodeJS.ErrnoException;
    const [why, hint] = UNOPENED[code] ?? [
      `cannot be opened (${code})`,
      "it has to be a plain file that this user can read",
    ];
    throw fail("secret_denied", `${path} ${why}`, { hint, cause: error });
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
