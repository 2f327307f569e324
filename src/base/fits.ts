import type { Static, TSchema } from "@sinclair/typebox";
import { type TypeCheck, TypeCompiler } from "@sinclair/typebox/compiler";

/** Compiling costs milliseconds and checking then next to nothing, so each schema is compiled at its first use. */
const compiled = new WeakMap<TSchema, TypeCheck<TSchema>>();

/** Whether a value fits a schema that many values are held against; {@link misfit} says where it does not. */
export function fits<T extends TSchema>(schema: T, value: unknown): value is Static<T> {
  let check = compiled.get(schema);
  if (check === undefined) {
    check = TypeCompiler.Compile(schema);
    compiled.set(schema, check);
  }
  return check.Check(value);
}
