import type { Json } from "../../base/json.ts";
import { raiseFor } from "../values/failure.ts";
import { of, type Table, with2, with3 } from "./define.ts";
import { erf, gammaOf, gammaSign, logGamma } from "./gamma.ts";

function numeric(value: Json): number {
  if (typeof value !== "number") throw raiseFor(value, "number required");
  return value;
}

const of1 = (compute: (x: number) => Json) => of((input) => compute(numeric(input)));
const of2 = (compute: (x: number, y: number) => Json) =>
  with2((_input, a, b) => compute(numeric(a), numeric(b)));

/** Away from zero at a half, as C's `round`. */
function round(x: number): number {
  return Math.sign(x) * Math.round(Math.abs(x));
}

/** To the even neighbour at a half. */
function roundEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

/** Mantissa in ±[0.5, 1) and exponent. */
function frexp(x: number): [mantissa: number, exponent: number] {
  if (x === 0 || !Number.isFinite(x)) return [x, 0];
  let exponent = Math.max(-1023, Math.floor(Math.log2(Math.abs(x))) + 1);
  let mantissa = scale(x, -exponent);
  while (Math.abs(mantissa) < 0.5) {
    mantissa *= 2;
    exponent--;
  }
  while (Math.abs(mantissa) >= 1) {
    mantissa /= 2;
    exponent++;
  }
  return [mantissa, exponent];
}

/** x · 2^n without passing through a power that a double does not hold. */
function scale(x: number, n: number): number {
  let value = x;
  let left = Math.max(-2200, Math.min(2200, Math.trunc(n)));
  for (; left > 1000; left -= 1000) value *= 2 ** 1000;
  for (; left < -1000; left += 1000) value *= 2 ** -1000;
  return value * 2 ** left;
}

function logb(x: number): number {
  if (x === 0) return Number.NEGATIVE_INFINITY;
  if (!Number.isFinite(x)) return Math.abs(x);
  return frexp(x)[1] - 1;
}

function significand(x: number): number {
  return x === 0 || !Number.isFinite(x) ? x : frexp(x)[0] * 2;
}

const view = new DataView(new ArrayBuffer(8));

/** The next double towards y. */
function nextAfter(x: number, y: number): number {
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.NaN;
  if (x === y) return y;
  if (x === 0) return y > 0 ? Number.MIN_VALUE : -Number.MIN_VALUE;
  view.setFloat64(0, x);
  view.setBigInt64(0, view.getBigInt64(0) + (x < y === x > 0 ? 1n : -1n));
  return view.getFloat64(0);
}

/** IEEE remainder: the quotient is rounded to the nearest even. */
function ieeeRemainder(x: number, y: number): number {
  if (y === 0 || !Number.isFinite(x)) return Number.NaN;
  if (!Number.isFinite(y)) return x;
  const size = Math.abs(y);
  let rest = Math.abs(x) % (size * 2 === Number.POSITIVE_INFINITY ? size : size * 2);
  if (rest > size * 1.5 || rest === size * 1.5) rest -= size * 2;
  else if (rest > size / 2) rest -= size;
  return (x < 0 ? -rest : rest) + 0;
}

const SIMPLE = {
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  round,
  rint: roundEven,
  nearbyint: roundEven,
  sqrt: Math.sqrt,
  cbrt: Math.cbrt,
  fabs: Math.abs,
  exp: Math.exp,
  exp2: (x: number) => 2 ** x,
  exp10: (x: number) => 10 ** x,
  pow10: (x: number) => 10 ** x,
  expm1: Math.expm1,
  log: Math.log,
  log2: Math.log2,
  log10: Math.log10,
  log1p: Math.log1p,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  logb,
  significand,
  gamma: logGamma,
  lgamma: logGamma,
  tgamma: gammaOf,
  erf,
  erfc: (x: number) => 1 - erf(x),
} satisfies Record<string, (x: number) => number>;

export const MATH: Table = {
  ...Object.fromEntries(Object.entries(SIMPLE).map(([name, compute]) => [`${name}/0`, of1(compute)])),
  "abs/0": of((input) => {
    if (typeof input !== "number") throw raiseFor(input, "has no absolute value");
    return input < 0 ? -input : input;
  }),
  "_negate/0": of1((x) => -x),
  "frexp/0": of1(frexp),
  "modf/0": of1((x) => {
    const whole = Math.trunc(x);
    return [Number.isFinite(x) ? x - whole : 0, whole];
  }),
  "lgamma_r/0": of1((x) => [logGamma(x), gammaSign(x)]),
  "isinfinite/0": of((x) => x === Number.POSITIVE_INFINITY || x === Number.NEGATIVE_INFINITY),
  "isnan/0": of((x) => Number.isNaN(x)),
  "isnormal/0": of(
    (x) => typeof x === "number" && Number.isFinite(x) && Math.abs(x) >= 2.2250738585072014e-308,
  ),
  "isfinite/0": of((input) => typeof input === "number" && Math.abs(input) !== Number.POSITIVE_INFINITY),
  "pow/2": of2((x, y) => (x === 1 || (x === -1 && !Number.isFinite(y) && !Number.isNaN(y)) ? 1 : x ** y)),
  "atan2/2": of2(Math.atan2),
  "fmin/2": of2((x, y) => (Number.isNaN(x) ? y : Number.isNaN(y) ? x : Math.min(x, y))),
  "fmax/2": of2((x, y) => (Number.isNaN(x) ? y : Number.isNaN(y) ? x : Math.max(x, y))),
  "fmod/2": of2((x, y) => x % y),
  "fdim/2": of2((x, y) => (x > y ? x - y : Number.isNaN(x) || Number.isNaN(y) ? Number.NaN : 0)),
  "hypot/2": of2(Math.hypot),
  "copysign/2": of2((x, y) => (y < 0 || Object.is(y, -0) ? -Math.abs(x) : Math.abs(x))),
  "drem/2": of2(ieeeRemainder),
  "remainder/2": of2(ieeeRemainder),
  "ldexp/2": of2(scale),
  "scalb/2": of2(scale),
  "scalbln/2": of2(scale),
  "nextafter/2": of2(nextAfter),
  "nexttoward/2": of2(nextAfter),
  "fma/3": with3((_input, a, b, c) => numeric(a) * numeric(b) + numeric(c)),
};
