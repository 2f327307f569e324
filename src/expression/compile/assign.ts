import type { Json } from "../../base/json.ts";
import { charge, ITEM_BYTES, step } from "../meter.ts";
import type { AssignOperator, BinaryOperator } from "../syntax/ast.ts";
import { addOwned } from "../values/arithmetic.ts";
import { raise } from "../values/failure.ts";
import { isTrue } from "../values/kind.ts";
import { deletePaths, getPath, type Owned, setPath } from "../values/path.ts";
import { pathArray, shortened } from "./access.ts";
import { type Env, type Filter, many, type PathEmit, ROOT, single } from "./filter.ts";
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

type Change = (old: Json, owned: Owned) => Json | undefined;

/**
 * Replace the value at each path in turn by what `change` makes of it; where it makes nothing, the path is deleted at
 * the end. Containers in `owned` are changed in place, and those made on the way are added.
 */
function update(target: Filter, input: Json, env: Env, change: Change, owned: Owned): Json {
  let root = input;
  let deleted: Json[] | null = null;
  eachPath(target, input, env, (path) => {
    const value = change(getPath(root, path), owned);
    if (value === undefined) {
      charge(ITEM_BYTES);
      deleted ??= [];
      deleted.push(path);
    } else root = setPath(root, path, value, owned);
    return false;
  });
  return deleted === null ? root : deletePaths(root, deleted);
}

const isContainer = (value: Json): boolean => typeof value === "object" && value !== null;

/**
 * With at most one path, an update may also work in place on the state of a `reduce`. With more it may not: the paths
 * are those of the state as it was.
 */
function updating(
  target: Filter,
  run: (input: Json, env: Env, owned: Owned) => Json,
): Pick<Filter, "mutate"> {
  return target.maybe === null ? {} : { mutate: run };
}

/** `target |= change`: the first output of `change`; without one the path is deleted. */
export function modify(target: Filter, change: Filter): Filter {
  const first =
    change.maybe ??
    ((value: Json, env: Env) => {
      let output: Json | undefined;
      change.each(value, env, (next) => {
        output = next;
        return true;
      });
      return output;
    });
  const run = (input: Json, env: Env, owned: Owned): Json =>
    update(
      target,
      input,
      env,
      (old, own) => {
        const value = first(old, env);
        // It may have kept what it was given.
        if (value !== undefined && isContainer(value)) own.clear();
        return value;
      },
      owned,
    );
  return { ...single((input, env) => run(input, env, new Set())), ...updating(target, run) };
}

/** `target = value`, `target += value`, `target //= value`…: once for each value, which is computed from the input. */
export function assign(operator: Exclude<AssignOperator, "|=">, target: Filter, value: Filter): Filter {
  const change = changeOf(operator);
  const run = (input: Json, env: Env, operand: Json, owned: Owned): Json =>
    update(target, input, env, (old, own) => change(old, operand, own), owned);
  const one = value.one;
  if (one === null) {
    return many((input, env, emit) =>
      value.each(input, env, (operand) => emit(run(input, env, operand, new Set()))),
    );
  }
  const independent = value.independent === true;
  return {
    ...single((input, env) => run(input, env, one(input, env), new Set())),
    ...updating(target, (state, env, owned) => {
      const operand = one(state, env);
      if (!independent && isContainer(operand)) owned.clear();
      return run(state, env, operand, owned);
    }),
  };
}

function changeOf(operator: Exclude<AssignOperator, "|=">): (old: Json, operand: Json, owned: Owned) => Json {
  switch (operator) {
    case "=":
      return (_old, operand) => operand;
    case "//=":
      return (old, operand) => (isTrue(old) ? old : operand);
    case "+=":
      return addOwned;
    default: {
      const operation = OPERATIONS[operator.slice(0, -1) as BinaryOperator];
      return (old, operand) => operation(old, operand);
    }
  }
}
