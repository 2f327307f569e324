/** Longer than any test that waits for one thing has (`--timeout 20000`): what ends a wait is the test's own limit. */
const GIVE_UP_MS = 18_000;

/**
 * Wait until something holds, looking every few milliseconds. How long it takes is the machine's business: the limit is
 * there to say what was waited for, before the test's own limit ends it without a word.
 * @param state what to tell of when it never comes
 */
export async function until(
  holds: () => boolean,
  state?: () => unknown,
  limitMs = GIVE_UP_MS,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > end) {
      const now = state === undefined ? "" : `: ${JSON.stringify(state())}`;
      throw new Error(`it did not come within ${limitMs / 1000} s${now}`);
    }
    await Bun.sleep(5);
  }
}
