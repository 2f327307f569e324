import type { Static, TSchema } from "@sinclair/typebox";
import { type ErrorCode, fail } from "../base/errors.ts";
import { fits } from "../base/fits.ts";
import { misfit } from "../base/misfit.ts";
import { joinPointer } from "../base/pointer.ts";

/**
 * The value as the schema's type, or a failure that names the first place that does not fit.
 * @throws Failure `invalid_request` (or `code`) with `details.path`
 */
export function validate<T extends TSchema>(
  schema: T,
  value: unknown,
  code: ErrorCode = "invalid_request",
): Static<T> {
  if (fits(schema, value)) return value;
  const { keys, reason } = misfit(schema, value) ?? { keys: [], reason: "not valid" };
  const path = joinPointer("", ...keys) || "/";
  throw fail(code, `${path}: ${reason}`, { details: { path } });
}
