import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../base/errors.ts";
import { readPrivateFile } from "../base/private-file.ts";
import { MINIMUM_SECRET_BYTES } from "../redaction/index.ts";
import type { EffectiveConfig, SecretSource } from "./config.ts";
import { readVault } from "./vault.ts";

/** A secret of a runner that shares its process with the tenant's own secrets, for a name that it has no source of. */
export type SecretBroker = (name: string) => string | undefined;

type Sources = Pick<EffectiveConfig, "secrets" | "vault"> & { readonly broker?: SecretBroker | undefined };

const REFERENCE = /^runner-secret:\/\/([A-Za-z0-9][A-Za-z0-9._-]*)$/;

async function resolve(name: string, sources: Sources): Promise<string> {
  const value = await readSecret(name, sources);
  // No variable can hold the one, and the other is a mistake that a task would take for its secret.
  if (value.includes("\0")) {
    throw fail("secret_denied", `secret ${name} holds a NUL byte`, {
      hint: "keep it as text, such as base64",
    });
  }
  if (value === "") throw fail("secret_denied", `secret ${name} is empty`);
  return value;
}

async function readSecret(name: string, { secrets, vault, broker }: Sources): Promise<string> {
  const source: SecretSource | undefined = secrets[name];
  if (source === undefined) {
    const brokered = broker?.(name);
    if (brokered !== undefined) return brokered;
    throw fail("secret_denied", `this runner has no secret named ${name}`);
  }
  if ("vault" in source) return await readVault(vault!, source.vault);
  if ("file" in source) return readPrivateFile(source.file);
  if ("credential" in source) {
    const directory = process.env["CREDENTIALS_DIRECTORY"];
    const path = join(directory ?? "", source.credential);
    if (directory === undefined || !existsSync(path)) {
      throw fail("secret_denied", `secret ${name}: systemd passed no credential ${source.credential}`, {
        hint: `the unit of the runner needs LoadCredential=${source.credential}:/path/to/it`,
      });
    }
    return readFileSync(path, "utf8").replace(/\r?\n$/, "");
  }
  const value = process.env[source.env];
  if (value === undefined)
    throw fail("secret_denied", `secret ${name}: ${source.env} is not set for the runner`);
  return value;
}

/** Whether a secret can be resolved and masked. @throws Failure `secret_denied` */
export async function checkSecret(name: string, sources: Sources): Promise<void> {
  if (Buffer.byteLength((await resolve(name, sources)).trim()) < MINIMUM_SECRET_BYTES) {
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
export async function resolveSecrets(
  environment: Readonly<Record<string, string>>,
  sources: Sources,
): Promise<TaskSecrets> {
  const values = new Map<string, string>();
  const resolved: Record<string, string> = {};
  for (const [key, value] of Object.entries(environment)) {
    const name = REFERENCE.exec(value)?.[1];
    if (name === undefined && value.includes("runner-secret://")) {
      throw fail("secret_denied", `${key}: a secret reference must be the whole value`);
    }
    if (name !== undefined && !values.has(name)) values.set(name, await resolve(name, sources));
    resolved[key] = name === undefined ? value : values.get(name)!;
  }
  return { names: [...values.keys()], values: [...values.values()], environment: resolved };
}

/** Values by name, for masking what an earlier process of this runner captured; null when one cannot be had any more. */
export async function secretValues(names: readonly string[], sources: Sources): Promise<string[] | null> {
  try {
    return await Promise.all(names.map((name) => resolve(name, sources)));
  } catch {
    return null;
  }
}
