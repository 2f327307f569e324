export interface Backoff {
  /** Milliseconds to wait before the next try. */
  next(): number;
  /** After a success: the next failure starts small again. */
  reset(): void;
}

/**
 * Exponential back-off with full jitter: a uniform draw below a doubling ceiling, so that a thousand runners that
 * lost one controller do not come back in step.
 */
export function createBackoff(baseMs = 250, maximumMs = 30_000, random: () => number = Math.random): Backoff {
  let ceiling = baseMs;
  return {
    next() {
      const wait = random() * ceiling;
      ceiling = Math.min(ceiling * 2, maximumMs);
      return Math.max(1, Math.round(wait));
    },
    reset() {
      ceiling = baseMs;
    },
  };
}
