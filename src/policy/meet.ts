import type { PolicyLayer } from "../protocol/policy.ts";
import { getValue, setValue, stated } from "./fields.ts";

/**
 * The strictest of two layers, field by field. Never wider than either, whatever their order; so a layer that is added
 * only ever takes away.
 */
export function meet(a: PolicyLayer, b: PolicyLayer): PolicyLayer {
  const result: PolicyLayer = {};
  for (const [field, left] of stated(a)) {
    // Joined with itself, a single value is written as every other one: sorted and without repetition.
    setValue(result, field.path, field.join(left, getValue(b, field.path) ?? left));
  }
  for (const [field, right] of stated(b)) {
    if (getValue(a, field.path) === undefined) setValue(result, field.path, field.join(right, right));
  }
  return result;
}
