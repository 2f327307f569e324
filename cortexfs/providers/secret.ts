import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { fail } from "../../src/base/errors.ts";
import type { Environment } from "../../src/base/xdg.ts";

/** The three places where a secret may lie. The reference is public, the value never enters the tree. */
export type SecretReference =
  | { readonly kind: "env"; readonly name: string }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "systemd-creds"; readonly name: string };

/** Read `env:NAME`, `file:/absolute/path` or `systemd-creds:NAME`; undefined if it is none of them. */
export function parseSecretReference(text: string): SecretReference | undefined {
  const colon = text.indexOf(":");
  const rest = text.slice(colon + 1);
  switch (text.slice(0, colon)) {
    case "env":
      return /^[A-Za-z_][A-Za-z0-9_]*$/.test(rest) ? { kind: "env", name: rest } : undefined;
    case "file":
      return isAbsolute(rest) && !rest.includes("\0") ? { kind: "file", path: rest } : undefined;
    case "systemd-creds":
      return /^[A-Za-z0-9_.-]{1,128}$/.test(rest) && rest !== "." && rest !== ".."
        ? { kind: "systemd-creds", name: rest }
        : undefined;
    default:
      return undefined;
  }
}

/**
 * The value of a reference, read anew for each call so that a rotated key works at once. Failures name the reference,
 * never what was found. A file must belong to this user and be closed to all others.
 */
export async function resolveSecret(text: string, env: Environment): Promise<string> {
  const reference = parseSecretReference(text);
  if (reference === undefined) {
    throw fail("secret_denied", "the key reference is not understood", {
      hint: "use env:NAME, file:/absolute/path or systemd-creds:NAME",
    });
  }
  if (reference.kind === "env") {
    const value = env[reference.name];
    if (!value) throw fail("secret_denied", `the environment variable ${reference.name} is not set`);
    return value;
  }
  const directory = env["CREDENTIALS_DIRECTORY"];
  if (reference.kind === "systemd-creds" && !directory) {
    throw fail("secret_denied", "no systemd credentials were passed to this process", {
      hint: "add LoadCredential= to the service",
    });
  }
  const path = reference.kind === "file" ? reference.path : join(directory!, reference.name);
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    throw fail("secret_denied", `the secret ${text} cannot be read`);
  }
  try {
    const info = await handle.stat();
    const own = info.uid === process.geteuid!() || info.uid === 0;
    if (!info.isFile() || !own || (info.mode & 0o077) !== 0) {
      throw fail("secret_denied", `${text} must be a regular file of this user with mode 0600`);
    }
    const value = (await handle.readFile("utf8")).trim();
    if (value === "") throw fail("secret_denied", `the secret ${text} is empty`);
    return value;
  } finally {
    await handle.close();
  }
}
