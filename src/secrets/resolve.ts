import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { parseStrictJson } from "../base/strict-json.ts";
import { hasSecret, readSecret, type Store } from "../store/index.ts";
import { readKey } from "./key.ts";
import { readReference } from "./reference.ts";
import { unseal } from "./seal.ts";

/** A secret as expressions see it: a text, or an object when the text is one in JSON. */
export type SecretValue = string | JsonObject;

/** What resolves the secrets that documents name, in the moment in which they are needed. */
export interface Secrets {
  has(tenantId: string, name: string): boolean;
  /** Undefined where there is none. @throws Failure `secret_denied` where it cannot be opened */
  resolve(tenantId: string, name: string): SecretValue | undefined;
}

/** What a sealed row is bound to. */
export const placeOf = (tenantId: string, name: string): string => JSON.stringify([tenantId, name]);

/** The secrets of a store, whose key stands in the state directory. Nothing is kept in memory. */
export function openSecrets(
  store: Pick<Store, "read">,
  stateDirectory: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Secrets {
  return {
    has: (tenantId, name) => store.read(hasSecret, { tenantId, name }),
    resolve(tenantId, name) {
      const row = store.read(readSecret, { tenantId, name });
      if (row === null) return undefined;
      const text =
        row.kind === "reference"
          ? readReference(row.body, env)
          : unseal(row.body, placeOf(tenantId, name), readKey(stateDirectory));
      return secretValue(text);
    },
  };
}

/** Text that is a JSON object is that object: the properties of an authentication scheme, say. */
export function secretValue(text: string): SecretValue {
  if (!/^\s*\{/.test(text)) return text;
  try {
    const value = parseStrictJson(text);
    return isObject(value) ? (value as JsonObject) : text;
  } catch {
    return text;
  }
}

/** Every text in a secret: what is masked wherever it would be shown. */
export function secretTexts(value: Json): string[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.flatMap(secretTexts);
  return isObject(value) ? Object.values(value as JsonObject).flatMap(secretTexts) : [];
}
