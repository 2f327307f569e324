const REDACTED = "[redacted]";

/** Take every occurrence of the secrets out of a text, also as they look inside JSON strings. */
export function redact(text: string, secrets: readonly string[]): string {
  let result = text;
  for (const secret of secrets) {
    if (secret === "") continue;
    result = result.replaceAll(secret, REDACTED);
    const escaped = JSON.stringify(secret).slice(1, -1);
    if (escaped !== secret) result = result.replaceAll(escaped, REDACTED);
  }
  return result;
}

/**
 * Redact a text that comes in pieces: what could be the beginning of a secret is held back until the next piece tells.
 */
export class StreamRedactor {
  readonly #secrets: readonly string[];
  #held = "";

  constructor(secrets: readonly string[]) {
    this.#secrets = secrets.filter((secret) => secret !== "");
  }

  push(piece: string): string {
    const text = redact(this.#held + piece, this.#secrets);
    let keep = 0;
    for (const secret of this.#secrets) {
      for (let length = Math.min(secret.length - 1, text.length); length > keep; length--) {
        if (text.endsWith(secret.slice(0, length))) keep = length;
      }
    }
    this.#held = text.slice(text.length - keep);
    return text.slice(0, text.length - keep);
  }

  /** What is still held: no secret, since none was completed. */
  end(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }
}
