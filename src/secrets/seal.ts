import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { fail } from "../base/errors.ts";

const ALGORITHM = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypt a secret for the store: `nonce ‖ tag ‖ ciphertext` as base64. `place` (tenant and name) is authenticated with
 * it, so that a row cannot be given to another name.
 */
export function seal(text: string, place: string, key: Buffer): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce);
  cipher.setAAD(Buffer.from(place));
  const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64");
}

/** @throws Failure `secret_denied` when the key is another, or the row was changed or moved */
export function unseal(sealed: string, place: string, key: Buffer): string {
  const bytes = Buffer.from(sealed, "base64");
  try {
    const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(place));
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const text = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString("utf8");
  } catch (error) {
    throw fail("secret_denied", "a stored secret does not open with the key of this state directory", {
      hint: "set it again with `lightflow secret set`",
      cause: error,
    });
  }
}
