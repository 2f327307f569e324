import { closeSync, fsyncSync, linkSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../base/errors.ts";
import { makePrivateDirectory, syncDirectory } from "../base/files.ts";
import { randomToken } from "../base/ids.ts";
import { readPrivateFile } from "../base/private-file.ts";

const KEY_BYTES = 32;

/** The file beside the store; whoever copies the store alone has no secret. */
export const keyPath = (stateDirectory: string): string => join(stateDirectory, "secrets.key");

/** @throws Failure `secret_denied` when the file is missing, may be read by others or is no key */
export function readKey(stateDirectory: string): Buffer {
  const path = keyPath(stateDirectory);
  const key = Buffer.from(readPrivateFile(path), "base64url");
  if (key.length !== KEY_BYTES)
    throw fail("secret_denied", `${path} is not a key of this product`, { hint: "restore it from a backup" });
  return key;
}

/** Make the key at the first secret. Two processes at once end up with one: a link never replaces a file. */
export function ensureKey(stateDirectory: string): Buffer {
  makePrivateDirectory(stateDirectory);
  const path = keyPath(stateDirectory);
  const temporary = `${path}.${randomToken(6)}.tmp`;
  const descriptor = openSync(temporary, "wx", 0o600);
  try {
    writeSync(descriptor, `${randomToken(KEY_BYTES)}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  try {
    linkSync(temporary, path);
    syncDirectory(stateDirectory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  return readKey(stateDirectory);
}
