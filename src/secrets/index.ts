/** Secrets of tenants: sealed in the store or referenced, resolved when a call needs them, never shown. */
export { ensureKey } from "./key.ts";
export { REFERENCE_PATTERN } from "./reference.ts";
export { openSecrets, placeOf, type Secrets, type SecretValue, secretTexts, secretValue } from "./resolve.ts";
export { seal } from "./seal.ts";
