import type { Json, JsonObject } from "../../base/json.ts";
import { DEFAULT_BUDGET, exhausted, meter } from "../meter.ts";
import type { BinaryOperator } from "../syntax/ast.ts";
import { add, addOwned, divide, multiply, remainder, subtract } from "../values/arithmetic.ts";
import { compare, equal } from "../values/compare.ts";
import { Raised, raiseFor } from "../values/failure.ts";
import { isTrue } from "../values/kind.ts";
import {
  constant,
  type Filter,
  identity,
  isConstant,
  type Maybe,
  many,
  type One,
  optional,
  type PathEach,
  single,
} from "./filter.ts";

type Operation = (left: Json, right: Json) => Json;

export const OPERATIONS: Record<BinaryOperator, Operation> = {
  "+": add,
  "-": subtract,
  "*": multiply,
  "/": divide,
  "%": remainder,
  "==": equal,
  "!=": (a, b) => !equal(a, b),
  "<": (a, b) => compare(a, b) < 0,
  "<=": (a, b) => compare(a, b) <= 0,
  ">": (a, b) => compare(a, b) > 0,
  ">=": (a, b) => compare(a, b) >= 0,
};

/**
 * The same with the case of two numbers written out for each operator: one shared call would be too varied for the
 * engine to inline.
 */
const NUMERIC: Partial<Record<BinaryOperator, (left: One, right: One) => One>> = {
  "+": (left, right) => (input, env) => {
    const b = right(input, env);
    const a = left(input, env);
    return typeof a === "number" && typeof b === "number" ? a + b : add(a, b);
  },
  "-": (left, right) => (input, env) => {
    const b = right(input, env);
    const a = left(input, env);
    return typeof a === "number" && typeof b === "number" ? a - b : subtract(a, b);
  },
  "*": (left, right) => (input, env) => {
    const b = right(input, env);
    const a = left(input, env);
    return typeof a === "number" && typeof b === "number" ? a * b : multiply(a, b);
  },
  "<": (left, right) => (input, env) => {
    const b = right(input, env);
    const a = left(input, env);
    return typeof a === "number" && typeof b === "number" && !Number.isNaN(a) ? a < b : compare(a, b) < 0;
  },
  ">": (left, right) => (input, env) => {
    const b = right(input, env);
    const a = left(input, env);
    return typeof a === "number" && typeof b === "number" && !Number.isNaN(b) ? a > b : compare(a, b) > 0;
  },
};

/** `.name + 1` and its kin: the shape of most expressions, without a call for the parts. */
function memberAndConstant(operator: BinaryOperator, name: string, value: Json, read: One): One | null {
  if (typeof value !== "number" || name in Object.prototype) return null;
  const fast = (input: Json): Json | undefined =>
    typeof input === "object" && input !== null && !Array.isArray(input)
      ? (input as JsonObject)[name]
      : undefined;
  const slow = OPERATIONS[operator];
  switch (operator) {
    case "+":
      return (input, env) => {
        const a = fast(input);
        return typeof a === "number" ? a + value : slow(read(input, env), value);
      };
    case "-":
      return (input, env) => {
        const a = fast(input);
        return typeof a === "number" ? a - value : slow(read(input, env), value);
      };
    case "*":
      return (input, env) => {
        const a = fast(input);
        return typeof a === "number" ? a * value : slow(read(input, env), value);
      };
    default:
      return null;
  }
}

const LONGEST_FOLDED = 256;

/** How long the text is that a multiplication of these makes; 0 where it makes none. */
function repeatedLength(left: Json, right: Json): number {
  if (typeof left === "string" && typeof right === "number") return left.length * right || 0;
  return typeof right === "string" && typeof left === "number" ? right.length * left || 0 : 0;
}

/** The value of an operation on two constants, if it is a small one. What fails does so at run time, inside `try`. */
function fold(operator: BinaryOperator, left: Filter, right: Filter): Json {
  if (!isConstant(left) || !isConstant(right)) return null;
  for (const { constant: part } of [left, right]) {
    if (typeof part === "object" || (typeof part === "string" && part.length > LONGEST_FOLDED)) return null;
  }
  const length = operator === "*" ? repeatedLength(left.constant, right.constant) : 0;
  // What no run could build is refused where it is written; what is merely long is built when it runs.
  if (length > DEFAULT_BUDGET.outputBytes) throw exhausted("outputBytes");
  if (length > LONGEST_FOLDED) return null;
  try {
    const value = OPERATIONS[operator](left.constant, right.constant);
    return typeof value === "object" ? null : value;
  } catch (error) {
    if (error instanceof Raised) return null;
    throw error;
  }
}

/** `. + right` on the state of a `reduce`. */
function grow(right: Filter, operand: One): NonNullable<Filter["mutate"]> {
  const independent = right.independent === true;
  return (state, env, owned) => {
    const value = operand(state, env);
    if (!independent && typeof value === "object" && value !== null) owned.clear();
    return addOwned(state, value, owned);
  };
}

export function binary(operator: BinaryOperator, left: Filter, right: Filter): Filter {
  const operation = OPERATIONS[operator];
  const a = left.one;
  const b = right.one;
  const folded = fold(operator, left, right);
  if (folded !== null) return constant(folded);
  if (a !== null && b !== null) {
    if (isConstant(right)) {
      const value = right.constant;
      if (typeof left.shape === "object") {
        const one = memberAndConstant(operator, left.shape.member, value, a);
        if (one !== null) return single(one);
      }
      if (operator === "==" && (typeof value !== "object" || value === null)) {
        return single((input, env) => a(input, env) === value);
      }
      if (operator === "!=" && (typeof value !== "object" || value === null)) {
        return single((input, env) => a(input, env) !== value);
      }
    }
    const independent = left.independent === true && right.independent === true;
    const numeric = NUMERIC[operator];
    if (numeric !== undefined) {
      const sum = { ...single(numeric(a, b)), independent };
      return operator === "+" && left.shape === "identity" ? { ...sum, mutate: grow(right, b) } : sum;
    }
    const result = single((input, env) => {
      const second = b(input, env);
      return operation(a(input, env), second);
    });
    return { ...result, independent };
  }
  if (a !== null) {
    return many((input, env, emit) =>
      right.each(input, env, (second) => emit(operation(a(input, env), second))),
    );
  }
  return many((input, env, emit) =>
    right.each(input, env, (second) => left.each(input, env, (first) => emit(operation(first, second)))),
  );
}

export function negate(body: Filter): Filter {
  const operation = (value: Json): Json => {
    if (typeof value !== "number") throw raiseFor(value, "cannot be negated");
    return -value;
  };
  if (typeof body.constant === "number") return constant(-body.constant);
  const one = body.one;
  if (one !== null) return single((input, env) => operation(one(input, env)));
  return many((input, env, emit) => body.each(input, env, (value) => emit(operation(value))));
}

/** `and`, `or`: the right side is looked at only where the left leaves the answer open. */
export function logical(operator: "and" | "or", left: Filter, right: Filter): Filter {
  const decided = operator === "or";
  const a = left.one;
  const b = right.one;
  if (a !== null && b !== null) {
    return single((input, env) => (isTrue(a(input, env)) === decided ? decided : isTrue(b(input, env))));
  }
  return many((input, env, emit) =>
    left.each(input, env, (value) =>
      isTrue(value) === decided ? emit(decided) : right.each(input, env, (other) => emit(isTrue(other))),
    ),
  );
}

/** `left // right`: the truthy outputs of the left; without any, the right. An error on the left is an error. */
export function alternative(left: Filter, right: Filter): Filter {
  const path: PathEach = (from, input, env, emit) => {
    let found = false;
    const stopped = left.path(from, input, env, (way, value) => {
      if (!isTrue(value)) return false;
      found = true;
      return emit(way, value);
    });
    return stopped || (!found && right.path(from, input, env, emit));
  };
  const first = left.maybe;
  const second = right.maybe;
  if (first !== null && second !== null) {
    const either: Maybe = (input, env) => {
      const value = first(input, env);
      return value !== undefined && isTrue(value) ? value : second(input, env);
    };
    return right.one === null ? optional(either, path) : single(either as One, path);
  }
  return many((input, env, emit) => {
    let found = false;
    const stopped = left.each(input, env, (value) => {
      if (!isTrue(value)) return false;
      found = true;
      return emit(value);
    });
    return stopped || (!found && right.each(input, env, emit));
  }, path);
}

/** `if condition then … else … end` */
export function conditional(condition: Filter, then: Filter, otherwise: Filter | null): Filter {
  const no = otherwise ?? identity;
  const path: PathEach = (from, input, env, emit) =>
    condition.each(input, env, (value) => (isTrue(value) ? then : no).path(from, input, env, emit));
  const test = condition.one;
  if (test === null) {
    return many(
      (input, env, emit) =>
        condition.each(input, env, (value) => (isTrue(value) ? then : no).each(input, env, emit)),
      path,
    );
  }
  const yesOne = then.one;
  const noOne = no.one;
  if (yesOne !== null && noOne !== null) {
    const chosen = single(
      (input, env) => (isTrue(test(input, env)) ? yesOne(input, env) : noOne(input, env)),
      path,
    );
    const yes = then.mutate;
    const other = no.mutate;
    if (yes === undefined || other === undefined) return chosen;
    return {
      ...chosen,
      mutate: (state, env, owned) => (isTrue(test(state, env)) ? yes : other)(state, env, owned),
    };
  }
  const yesMaybe = then.maybe;
  const noMaybe = no.maybe;
  if (yesMaybe !== null && noMaybe !== null) {
    return optional(
      (input, env) => (isTrue(test(input, env)) ? yesMaybe(input, env) : noMaybe(input, env)),
      path,
    );
  }
  return many(
    (input, env, emit) =>
      isTrue(test(input, env)) ? then.each(input, env, emit) : no.each(input, env, emit),
    path,
  );
}

/** `try body catch handler`; without a handler the error ends the outputs. Errors behind the outputs pass through. */
export function attempt(body: Filter, handler: Filter | null): Filter {
  const path: PathEach = (from, input, env, emit) => {
    const depth = meter.depth;
    let outside: unknown;
    try {
      return body.path(from, input, env, (way, value) => {
        try {
          return emit(way, value);
        } catch (error) {
          outside = error;
          throw error;
        }
      });
    } catch (error) {
      if (error === outside || !(error instanceof Raised)) throw error;
      meter.depth = depth;
      return handler === null ? false : handler.each(error.value, env, (value) => emit(null, value));
    }
  };
  const maybe = body.maybe;
  if (maybe !== null && (handler === null || handler.maybe !== null)) {
    const recover = handler?.maybe ?? null;
    const attempted = (input: Json, env: Parameters<One>[1]): Json | undefined => {
      const depth = meter.depth;
      try {
        return maybe(input, env);
      } catch (error) {
        if (!(error instanceof Raised)) throw error;
        meter.depth = depth;
        return recover === null ? undefined : recover(error.value, env);
      }
    };
    if (body.one !== null && handler !== null && handler.one !== null) return single(attempted as One, path);
    return optional(attempted, path);
  }
  return many((input, env, emit) => {
    const depth = meter.depth;
    let outside: unknown;
    try {
      return body.each(input, env, (value) => {
        try {
          return emit(value);
        } catch (error) {
          outside = error;
          throw error;
        }
      });
    } catch (error) {
      if (error === outside || !(error instanceof Raised)) throw error;
      meter.depth = depth;
      return handler === null ? false : handler.each(error.value, env, emit);
    }
  }, path);
}
