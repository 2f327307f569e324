import type { Json } from "../../base/json.ts";
import { charge, ITEM_BYTES, step } from "../meter.ts";
import type { AssignOperator, BinaryOperator } from "../syntax/ast.ts";
import { raise } from "../values/failure.ts";
import { isTrue } from "../values/kind.ts";
import { deletePaths, getPath, type Owned, setPath } from "../values/path.ts";
import { pathArray, shortened } from "./access.ts";
import { type Env, type Filter, many, type One, type PathEmit, ROOT, single } from "./filter.ts";
import { OPERATIONS } from "./operators.ts";

/** The paths of a filter's outputs, as arrays. @throws where an output does not come from the input */
export function eachPath(
  filter: Filter,
  input: Json,
  env: Env,
  emit: (path: Json[], value: Json) => boolean,
): boolean {
  const take: PathEmit = (path, value) => {
    if (path === null) throw raise(`Invalid path expression with result ${shortened(value)}`);
    step();
    return emit(pathArray(path), value);
  };
  return filter.path(ROOT, input, env, take);
}

/**
 * Replace the value at each path in turn by what `change` makes of it; where it makes nothing, the path is deleted at
 * the end. Containers made on the way are changed in place from then on, unless `change` got hold of one.
 */
function update(
  target: Filter,
  input: Json,
  env: Env,
  change: (value: Json) => Json | undefined,
  reads: boolean,
): Json {
  let root = input;
  const owned: Owned = new Set();
  let deleted: Json[] | null = null;
  eachPath(target, input, env, (path) => {
    const old = reads ? getPath(root, path) : null;
    if (owned.has(old)) owned.clear();
    const value = change(old);
    if (value === undefined) {
      charge(ITEM_BYTES);
      deleted ??= [];
      deleted.push(path);
    } else root = setPath(root, path, value, owned);
    return false;
  });
  return deleted === null ? root : deletePaths(root, deleted);
}

/** `target |= change`: the first output of `change`; without one the path is deleted. */
export function modify(target: Filter, change: Filter): Filter {
  const maybe = change.maybe;
  return single((input, env) =>
    update(
      target,
      input,
      env,
      maybe !== null
        ? (value) => maybe(value, env)
        : (value) => {
            let first: Json | undefined;
            change.each(value, env, (output) => {
              first = output;
              return true;
            });
            return first;
          },
      true,
    ),
  );
}

/** `target = value`, `target += value`, `target //= value`…: once for each value, which is computed from the input. */
export function assign(operator: Exclude<AssignOperator, "|=">, target: Filter, value: Filter): Filter {
  let run: (input: Json, env: Env, operand: Json) => Json;
  if (operator === "=") {
    run = (input, env, operand) => update(target, input, env, () => operand, false);
  } else if (operator === "//=") {
    run = (input, env, operand) => update(target, input, env, (old) => (isTrue(old) ? old : operand), true);
  } else {
    const operation = OPERATIONS[operator.slice(0, -1) as BinaryOperator];
    run = (input, env, operand) => update(target, input, env, (old) => operation(old, operand), true);
  }
  const one: One | null = value.one;
  if (one !== null) return single((input, env) => run(input, env, one(input, env)));
  return many((input, env, emit) => value.each(input, env, (operand) => emit(run(input, env, operand))));
}
