import type { Json } from "../../base/json.ts";
import { type Filter, many, product, single } from "../compile/filter.ts";

/** Makes the filter of a native function from its compiled arguments. */
export type Native = (list: readonly Filter[]) => Filter;
export type Table = Record<string, Native>;

/** A function of its input alone. */
export function of(compute: (input: Json) => Json): Native {
  return () => single(compute);
}

/** A function of its input and the value of one argument, for each of them. */
export function with1(compute: (input: Json, a: Json) => Json): Native {
  return ([argument]) => {
    const one = argument!.one;
    if (one !== null) return single((input, env) => compute(input, one(input, env)));
    return many((input, env, emit) => argument!.each(input, env, (a) => emit(compute(input, a))));
  };
}

/** For each combination of two arguments; the last is the outer loop. */
export function with2(compute: (input: Json, a: Json, b: Json) => Json): Native {
  return (list) => {
    const first = list[0]!.one;
    const second = list[1]!.one;
    if (first !== null && second !== null) {
      return single((input, env) => {
        const b = second(input, env);
        return compute(input, first(input, env), b);
      });
    }
    return many((input, env, emit) =>
      product(list, input, env, (values) => emit(compute(input, values[0]!, values[1]!))),
    );
  };
}

export function with3(compute: (input: Json, a: Json, b: Json, c: Json) => Json): Native {
  return (list) =>
    list.every((filter) => filter.one !== null)
      ? single((input, env) => {
          const c = list[2]!.one!(input, env);
          const b = list[1]!.one!(input, env);
          return compute(input, list[0]!.one!(input, env), b, c);
        })
      : many((input, env, emit) =>
          product(list, input, env, (values) => emit(compute(input, values[0]!, values[1]!, values[2]!))),
        );
}
