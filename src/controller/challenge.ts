import { createHmac } from "node:crypto";
import { equalSecret, randomToken } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";

/**
 * Challenges without state: a random part and an end, under the controllers' common secret. Whoever asks for a million of
 * them has cost nothing; that each is used once is seen by the store when a registration answers it.
 */
export class Challenges {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  issue(now: number): { challenge: string; expiresAt: number } {
    const expiresAt = now + LIMITS.challengeMs;
    const open = `${randomToken(16)}.${expiresAt.toString(36)}`;
    return { challenge: `${open}.${this.#mac(open)}`, expiresAt };
  }

  /** Whether it is one of ours and still fresh. */
  holds(challenge: string, now: number): boolean {
    const cut = challenge.lastIndexOf(".");
    const open = challenge.slice(0, Math.max(0, cut));
    const expiresAt = Number.parseInt(open.slice(open.lastIndexOf(".") + 1), 36);
    return equalSecret(challenge.slice(cut + 1), this.#mac(open)) && expiresAt > now;
  }

  #mac(open: string): string {
    return createHmac("sha256", this.#secret).update(`challenge ${open}`).digest("base64url");
  }
}
