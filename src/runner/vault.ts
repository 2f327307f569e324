import { fail, toFailure } from "../base/errors.ts";
import { isObject } from "../base/json.ts";
import { readPrivateFile } from "../base/private-file.ts";
import { readTextFile } from "../base/read-file.ts";
import type { SecretSource, VaultConfig } from "./config.ts";

export type VaultReference = Extract<SecretSource, { vault: unknown }>["vault"];

const TIMEOUT_MS = 5_000;
const MAXIMUM_BYTES = 1 << 20;

/**
 * One field of a secret in Vault's KV version 2 engine (`GET /v1/<mount>/data/<path>`), read anew.
 * @throws Failure `secret_denied` when Vault has it not or does not give it, `unavailable` when it does not answer.
 * No message holds anything of an answer: it may be the secret.
 */
export async function readVault(vault: VaultConfig, reference: VaultReference): Promise<string> {
  const { mount = "secret", path, field, version } = reference;
  const shown = `${mount}/${path}`;
  const query = version === undefined ? "" : `?version=${version}`;
  const tls = vault.ca === undefined ? {} : { tls: { ca: readTextFile(vault.ca) } };
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${vault.address.replace(/\/+$/, "")}/v1/${mount}/data/${path}${query}`, {
      headers: {
        "x-vault-token": readPrivateFile(vault.tokenFile).trim(),
        "x-vault-request": "true",
        ...(vault.namespace === undefined ? {} : { "x-vault-namespace": vault.namespace }),
      },
      // A redirect would carry the token to a place that nobody configured.
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...tls,
    });
    if (Number(response.headers.get("content-length") ?? 0) > MAXIMUM_BYTES) throw new Error("too large");
    text = await response.text();
  } catch (error) {
    const failure = toFailure(error);
    if (failure.code === "secret_denied" || failure.code === "io") throw failure;
    throw fail("unavailable", `Vault at ${vault.address} does not answer: ${failure.message}`);
  }
  if (response.status === 403)
    throw fail("secret_denied", `Vault does not let this runner read ${shown}`, {
      hint: "check the policy of its token, and that the token has not expired",
    });
  if (response.status === 404)
    throw fail("secret_denied", `Vault has no version of ${shown} that is not deleted`);
  if (response.status !== 200)
    throw fail("unavailable", `Vault answered ${response.status} for ${shown}`, {
      hint: response.status === 503 ? "it is sealed, or in maintenance" : "see its log",
    });
  const value = fieldOf(text, field);
  if (value === undefined) throw fail("secret_denied", `${shown} in Vault has no text named ${field}`);
  return value;
}

function fieldOf(text: string, field: string): string | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return undefined;
  }
  const outer = isObject(answer) ? answer["data"] : undefined;
  const fields = isObject(outer) ? outer["data"] : undefined;
  const value = isObject(fields) && Object.hasOwn(fields, field) ? fields[field] : undefined;
  return typeof value === "string" ? value : undefined;
}
