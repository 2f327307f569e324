import type { Clock } from "../base/clock.ts";
import { fail } from "../base/errors.ts";
import { LIMITS } from "../base/limits.ts";

interface Pace {
  /** Empty answers in a row, without a pause between them. */
  streak: number;
  /** Empty answers that may still be had before claims are refused unseen. */
  credit: number;
  at: number;
}

/** An honest runner waits at the controller, and hears nothing some twenty seconds apart. */
const BURST = 2000;
const PER_SECOND = 50;
const PAUSE_MS = 5_000;
const LONGEST_MS = 60_000;
const KEPT = 10_000;

/**
 * How fast one credential may ask for work and hear that there is none. It is told to come back later and later; one that
 * does not listen is refused before anything is looked up. Work that it is given makes up for everything.
 */
export class ClaimPace {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #paces = new Map<string, Pace>();

  constructor(clock: Clock, random: () => number = Math.random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** @throws Failure `rate_limited` with `details.retryAfterMs` */
  check(credential: string): void {
    const pace = this.#paces.get(credential);
    if (pace === undefined || this.#credit(pace) >= 1) return;
    const retryAfterMs = this.#wait(pace);
    throw fail("rate_limited", "there is no work, and it was asked for too often", {
      details: { retryAfterMs },
    });
  }

  /** There was nothing. @returns after how many milliseconds to ask again */
  empty(credential: string): number {
    const now = this.#clock.monotonic();
    let pace = this.#paces.get(credential);
    if (pace === undefined) {
      if (this.#paces.size >= KEPT) this.#forget(now);
      pace = { streak: 0, credit: BURST, at: now };
      this.#paces.set(credential, pace);
    }
    pace.streak = now - pace.at > PAUSE_MS ? 0 : pace.streak + 1;
    pace.credit = this.#credit(pace) - 1;
    pace.at = now;
    return this.#wait(pace);
  }

  served(credential: string): void {
    this.#paces.delete(credential);
  }

  #credit(pace: Pace): number {
    return Math.min(BURST, pace.credit + ((this.#clock.monotonic() - pace.at) / 1000) * PER_SECOND);
  }

  /** Doubling with every ten answers, and up to a quarter longer, so that many do not come back together. */
  #wait({ streak }: Pace): number {
    const ceiling = Math.min(LONGEST_MS, LIMITS.retryAfterMs * 2 ** Math.min(16, Math.floor(streak / 10)));
    return Math.round(ceiling * (1 + this.#random() / 4));
  }

  #forget(now: number): void {
    for (const [credential, { at }] of this.#paces) if (now - at > LONGEST_MS) this.#paces.delete(credential);
  }
}
