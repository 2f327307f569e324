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

/** Sleep that an abort cuts short (it then returns, without an error). */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
}
