import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../base/errors.ts";
import { readPrivateFile } from "../base/private-file.ts";
import { MINIMUM_SECRET_BYTES } from "../redaction/index.ts";
import type { EffectiveConfig, SecretSource } from "./config.ts";

const REFERENCE = /^runner-secret:\/\/([A-Za-z0-9][A-Za-z0-9._-]*)$/;
function resolve(name: string, source: SecretSource | undefined): string {
  if (source === undefined) throw fail("secret_denied", `this runner has no secret named ${name}`);
  if ("file" in source) return readPrivateFile(source.file);
  if ("credential" in source) {
    const directory = process.env["CREDENTIALS_DIRECTORY"];
    if (directory === undefined) {
      throw fail("secret_denied", `secret ${name} needs systemd's LoadCredential=${source.credential}`);
    }
    return readFileSync(join(directory, source.credential), "utf8").replace(/\r?\n$/, "");
  }
  const value = process.env[source.env];
  if (value === undefined)
    throw fail("secret_denied", `secret ${name}: ${source.env} is not set for the runner`);
  return value;
}

/** Whether a secret can be resolved and masked. @throws Failure `secret_denied` */
export function checkSecret(name: string, source: SecretSource): void {
  if (Buffer.byteLength(resolve(name, source).trim()) < MINIMUM_SECRET_BYTES) {
    throw fail(
      "secret_denied",
      `secret ${name} is shorter than ${MINIMUM_SECRET_BYTES} bytes and cannot be masked`,
    );
  }
}

export interface TaskSecrets {
  readonly names: readonly string[];
  readonly values: readonly string[];
  /** The task's environment with each reference replaced by its value. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Resolve the `runner-secret://<name>` references of one task's environment. @throws Failure `secret_denied` */
export function resolveSecrets(
  environment: Readonly<Record<string, string>>,
  sources: EffectiveConfig["secrets"],
): TaskSecrets {
  const values = new Map<string, string>();
  const resolved = Object.entries(environment).map(([key, value]) => {
    const name = REFERENCE.exec(value)?.[1];
    if (name === undefined) {
      if (!value.includes("runner-secret://")) return [key, value];
      throw fail("secret_denied", `${key}: a secret reference must be the whole value`);
    }
    if (!values.has(name)) values.set(name, resolve(name, sources[name]));
    return [key, values.get(name)!];
  });
  return {
    names: [...values.keys()],
    values: [...values.values()],
    environment: Object.fromEntries(resolved) as Record<string, string>,
  };
}

/** Values by name, for masking what an earlier process of this runner captured; unknown names are left out. */
export function secretValues(names: readonly string[], sources: EffectiveConfig["secrets"]): string[] {
  return names.flatMap((name) => {
    try {
      return [resolve(name, sources[name])];
    } catch {
      return [];
    }
  });
}
