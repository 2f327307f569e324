import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../base/errors.ts";
import { readPrivateFile } from "../base/private-file.ts";

/** `env:NAME`, `file:/absolute/path` or `systemd-creds:NAME`: where a value stands that the store never holds. */
export const REFERENCE_PATTERN =
  "^(?:env:[A-Za-z_][A-Za-z0-9_]{0,255}|file:/[^\\u0000]{1,4095}|systemd-creds:[A-Za-z0-9][A-Za-z0-9._-]{0,255})$";

/** The value behind a reference, read anew each time. @throws Failure `secret_denied` where there is none */
export function readReference(reference: string, env: Readonly<Record<string, string | undefined>>): string {
  const at = reference.indexOf(":");
  const [kind, name] = [reference.slice(0, at), reference.slice(at + 1)];
  if (kind === "file") return readPrivateFile(name);
  if (kind === "env") {
    const value = env[name];
    if (value === undefined) throw fail("secret_denied", `${name} is not set for the orchestrator`);
    return value;
  }
  const directory = env["CREDENTIALS_DIRECTORY"];
  if (directory === undefined)
    throw fail("secret_denied", `systemd passed no credentials: LoadCredential=${name} is missing`);
  try {
    return readFileSync(join(directory, name), "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    throw fail("secret_denied", `systemd passed no credential ${name}`, { cause: error });
  }
}
