import type { Static, TSchema } from "@sinclair/typebox";
import { type TypeCheck, TypeCompiler } from "@sinclair/typebox/compiler";
import { type ErrorCode, fail } from "../base/errors.ts";
import { misfit } from "../base/misfit.ts";

/** Compiling costs milliseconds, so each schema is compiled at its first use. */
const compiled = new WeakMap<TSchema, TypeCheck<TSchema>>();

/**
 * The value as the schema's type, or a failure that names the first place that does not fit.
 * @throws Failure `invalid_request` (or `code`) with `details.path`
 */
export function validate<T extends TSchema>(
  schema: T,
  value: unknown,
  code: ErrorCode = "invalid_request",
): Static<T> {
  let check = compiled.get(schema);
  if (check === undefined) {
    check = TypeCompiler.Compile(schema);
    compiled.set(schema, check);
  }
  if (check.Check(value)) return value as Static<T>;
  const { keys, reason } = misfit(schema, value) ?? { keys: [], reason: "not valid" };
  const path = `/${keys.map((key) => key.replaceAll("~", "~0").replaceAll("/", "~1")).join("/")}`;
  throw fail(code, `${path}: ${reason}`, { details: { path } });
}
