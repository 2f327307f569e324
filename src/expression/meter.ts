import { fail } from "../base/errors.ts";
import type { Json } from "../base/json.ts";

/** How much one run may use. Every machine reaches `steps`, `depth` and `outputBytes` at the same point. */
export interface Budget {
  /** Emitted values, loop turns, function calls, elements looked at by built-ins, moves of the regular expressions. */
  steps: number;
  /** Function calls inside one another, weighted by the size of the function; levels of a result. */
  depth: number;
  /** Bytes of values built in the run, by a fixed price for each kind; and, apart from that, of its results. */
  outputBytes: number;
  /** Milliseconds; only a watchdog, because replay must not depend on the machine. */
  wallMs?: number;
}

export const DEFAULT_BUDGET: Budget = {
  // About a quarter of a second of work: hundreds of times what a reasonable expression needs.
  steps: 10_000_000,
  // Fits on the smallest stack that we run on (a Worker's), with room for the caller.
  depth: 3_000,
  // Far above the one mebibyte that a workflow state may hold, far below what would disturb the process.
  outputBytes: 64 * 1024 * 1024,
};

/** With a watchdog the clock is read this often. */
const WATCH_STEPS = 20_000;

/**
 * What the run in progress may still use. One object for the module: a run is synchronous and calls nobody back, so
 * two never interleave, and passing it through each closure would cost more than the closures do.
 */
export const meter = {
  steps: 0,
  reserve: 0,
  depth: 0,
  bytes: 0,
  /** What the results may still measure. */
  results: 0,
  deadline: Number.POSITIVE_INFINITY,
  /** The most levels that a result may have. */
  deepest: 0,
  /** Caller's time in milliseconds, for `now`. */
  now: Number.NaN,
  /** Values of the program's free variables, by their index; `undefined` was not given. */
  variables: [] as (Json | undefined)[],
};

export function startMeter(budget: Partial<Budget> | undefined, now: number | undefined): void {
  const steps = budget?.steps ?? DEFAULT_BUDGET.steps;
  meter.depth = budget?.depth ?? DEFAULT_BUDGET.depth;
  meter.bytes = budget?.outputBytes ?? DEFAULT_BUDGET.outputBytes;
  meter.results = meter.bytes;
  meter.deepest = meter.depth;
  meter.now = now ?? Number.NaN;
  if (budget?.wallMs === undefined) {
    meter.steps = steps;
    meter.reserve = 0;
    meter.deadline = Number.POSITIVE_INFINITY;
    return;
  }
  meter.deadline = performance.now() + budget.wallMs;
  meter.steps = Math.min(steps, WATCH_STEPS);
  meter.reserve = steps - meter.steps;
}

const TEXT = {
  steps: "the expression took too many steps",
  depth: "the expression nests too deeply",
  outputBytes: "the expression built more than its budget of values",
  wallMs: "the expression ran past its time",
} as const;

export function exhausted(budget: keyof typeof TEXT): Error {
  return fail("expression_budget", TEXT[budget], { details: { budget } });
}

function refill(): void {
  if (meter.reserve <= 0) throw exhausted("steps");
  if (performance.now() > meter.deadline) throw exhausted("wallMs");
  const next = Math.min(meter.reserve, WATCH_STEPS - meter.steps);
  meter.reserve -= next;
  meter.steps += next;
  if (meter.steps < 0) throw exhausted("steps");
}

export function step(): void {
  if (--meter.steps < 0) refill();
}

export function spend(steps: number): void {
  meter.steps -= steps;
  if (meter.steps < 0) refill();
}

/** Charge for a value before it is built. */
export function charge(bytes: number): void {
  meter.bytes -= bytes;
  if (meter.bytes < 0) throw exhausted("outputBytes");
}

/** The fixed prices of containers. */
export const ARRAY_BYTES = 16;
export const ITEM_BYTES = 8;
export const OBJECT_BYTES = 32;
export const MEMBER_BYTES = 16;

/** One level deeper; pair with {@link leave}. A `try` puts the depth back for what it caught. */
export function enter(weight = 1): void {
  meter.depth -= weight;
  if (meter.depth < 0) throw exhausted("depth");
}

export function leave(weight = 1): void {
  meter.depth += weight;
}
