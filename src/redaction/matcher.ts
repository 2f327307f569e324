/**
 * Finds any of many byte sequences in one pass: Wu and Manber's algorithm (1994) with blocks of two bytes. The
 * window is as long as the shortest needle; the last block of the window says how far it may move.
 */
export interface Matcher {
  readonly longest: number;
  /** Call `found` with the start and length of the longest needle at each position in `[from, to)`, ascending. */
  scan(text: Uint8Array, from: number, to: number, found: (start: number, length: number) => void): void;
  /** The first position from `from` on whose rest is the beginning of a needle, or `text.length`: what must be held back. */
  holdFrom(text: Uint8Array, from: number): number;
}

function startsWith(text: Uint8Array, at: number, needle: Uint8Array, length: number): boolean {
  for (let i = 0; i < length; i++) if (text[at + i] !== needle[i]) return false;
  return true;
}

export function createMatcher(needles: readonly Uint8Array[]): Matcher {
  // Longest first, so that the first that fits is the longest at its position.
  const sorted = needles.filter((needle) => needle.length >= 2).sort((a, b) => b.length - a.length);
  const longest = sorted[0]?.length ?? 0;
  const window = sorted.at(-1)?.length ?? 0;
  const shifts = new Uint16Array(65_536).fill(Math.min(Math.max(window - 1, 1), 65_535));
  const buckets = new Map<number, Uint8Array[]>();
  const byFirstByte: (Uint8Array[] | undefined)[] = new Array(256).fill(undefined);
  for (const needle of sorted) {
    for (let i = 0; i + 1 < window; i++) {
      const block = (needle[i]! << 8) | needle[i + 1]!;
      shifts[block] = Math.min(shifts[block]!, window - 2 - i);
    }
    const last = (needle[window - 2]! << 8) | needle[window - 1]!;
    const bucket = buckets.get(last);
    if (bucket === undefined) buckets.set(last, [needle]);
    else bucket.push(needle);
    const first = byFirstByte[needle[0]!];
    if (first === undefined) byFirstByte[needle[0]!] = [needle];
    else first.push(needle);
  }

  return {
    longest,
    scan(text, from, to, found) {
      if (window === 0) return;
      const length = text.length;
      for (let at = from; at < to && at + window <= length; ) {
        const block = (text[at + window - 2]! << 8) | text[at + window - 1]!;
        const shift = shifts[block]!;
        if (shift > 0) {
          at += shift;
          continue;
        }
        for (const needle of buckets.get(block)!) {
          if (at + needle.length <= length && startsWith(text, at, needle, needle.length)) {
            found(at, needle.length);
            break;
          }
        }
        at++;
      }
    },
    holdFrom(text, from) {
      for (let at = Math.max(from, text.length - longest + 1); at < text.length; at++) {
        const rest = text.length - at;
        for (const needle of byFirstByte[text[at]!] ?? []) {
          // Sorted by length: the rest of the list is no longer than what is left of the text.
          if (needle.length <= rest) break;
          if (startsWith(text, at, needle, rest)) return at;
        }
      }
      return text.length;
    },
  };
}
