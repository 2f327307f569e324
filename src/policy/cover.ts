/** Whether the first of two patterns stands for all that the second stands for. Two patterns never overlap in part. */
export type Covers = (wide: string, narrow: string) => boolean;

export const coversName: Covers = (wide, narrow) =>
  wide === narrow || (wide.endsWith("*") && narrow.startsWith(wide.slice(0, -1)));

/** `*.example.com` stands for every host below `example.com`, not for itself. */
export const coversHost: Covers = (wide, narrow) =>
  wide === narrow || wide === "*" || (wide.startsWith("*.") && narrow.endsWith(wide.slice(1)));

/** By components: `/srv` covers `/srv/a`, not `/srv-x`. `.` and `/` cover everything. */
export const coversPath: Covers = (wide, narrow) =>
  wide === narrow || wide === "/" || wide === "." || narrow.startsWith(`${wide}/`);

/** Sorted, and without what another one stands for already: equal sets are written equally. */
export function tidy(covers: Covers, patterns: readonly string[]): string[] {
  const unique = [...new Set(patterns)].sort();
  return unique.filter((each) => !unique.some((other) => other !== each && covers(other, each)));
}

/** What both stand for. */
export function intersection(covers: Covers, a: readonly string[], b: readonly string[]): string[] {
  const within = (narrow: readonly string[], wide: readonly string[]) =>
    narrow.filter((each) => wide.some((other) => covers(other, each)));
  return tidy(covers, [...within(a, b), ...within(b, a)]);
}

/** Whether the two have anything in common. */
export const overlaps = (covers: Covers, a: string, b: string): boolean => covers(a, b) || covers(b, a);
