/** Figures over several measurements; all in the unit of the measurements. */
export interface Figures {
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly count: number;
}

/** The value below which the given share (0 to 1) of the measurements lies, between neighbours by proportion. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new Error("no measurements");
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)]!;
  const high = sorted[Math.ceil(at)]!;
  return low + (high - low) * (at - Math.floor(at));
}

export function figures(values: readonly number[]): Figures {
  return {
    median: quantile(values, 0.5),
    minimum: Math.min(...values),
    maximum: Math.max(...values),
    count: values.length,
  };
}

/** `12.3 ms (11.0 to 15.2, 30 runs)` */
export function show({ median, minimum, maximum, count }: Figures, unit: string, digits = 1): string {
  return `${median.toFixed(digits)} ${unit} (${minimum.toFixed(digits)} to ${maximum.toFixed(digits)}, ${count} runs)`;
}

/**
 * Measure several things in turns (a, b, a, b, …) so that a noisy machine disturbs all of them alike; the order turns
 * round after each round. Warm-up rounds are not counted.
 * @param measured each returns its figure, or undefined to have its wall time in milliseconds taken
 */
export async function inTurns<Name extends string>(
  measured: Readonly<Record<Name, () => Promise<number | undefined>>>,
  rounds: number,
  warmUp = 1,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(measured) as Name[];
  const results = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = -warmUp; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const start = performance.now();
      const figure = (await measured[name]()) ?? performance.now() - start;
      if (round >= 0) results[name].push(figure);
    }
  }
  return results;
}

/** The median of the ratios a/b of each round: what pairing is for. */
export function pairedRatio(a: readonly number[], b: readonly number[]): Figures {
  return figures(a.map((value, index) => value / b[index]!));
}

/** One line against its limit: `ok` or `OVER`. */
export function against(name: string, value: number, limit: number, unit: string, digits = 2): string {
  const mark = value <= limit ? "ok  " : "OVER";
  return `${mark} ${name}: ${value.toFixed(digits)} ${unit} (limit ${limit} ${unit})`;
}

/** One line against a limit that has to be reached: `ok` or `UNDER`. */
export function atLeast(name: string, value: number, limit: number, unit: string, digits = 2): string {
  const mark = value >= limit ? "ok  " : "UNDER";
  return `${mark} ${name}: ${value.toFixed(digits)} ${unit} (at least ${limit} ${unit})`;
}
