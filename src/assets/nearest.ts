import { nearest as nearestWord } from "../base/nearest.ts";

/** The candidates nearest to what was written, at most three, best first. */
export function nearestOf(written: string, candidates: Iterable<string>): string[] {
  const left = new Set(candidates);
  const found: string[] = [];
  while (found.length < 3) {
    const best = nearestWord(written, left);
    if (best === undefined) break;
    found.push(best);
    left.delete(best);
  }
  return found;
}

/** `; did you mean X?` with the nearest candidate, or nothing. */
export function orNearest(written: string, candidates: Iterable<string>): string {
  const best = nearestWord(written, candidates);
  return best === undefined ? "" : `; did you mean ${best}?`;
}

/** The nearest candidate behind `lead`, or nothing. */
export function nearest(written: string, candidates: Iterable<string>, lead: string): string {
  const best = nearestWord(written, candidates);
  return best === undefined ? "" : lead + best;
}
