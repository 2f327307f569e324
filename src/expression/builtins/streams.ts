import type { Json } from "../../base/json.ts";
import { iterateValue } from "../compile/access.ts";
import {
  type Emit,
  type Env,
  type Filter,
  many,
  optional,
  type Path,
  type PathEmit,
  single,
} from "../compile/filter.ts";
import { enter, leave, step } from "../meter.ts";
import { raise } from "../values/failure.ts";
import { isTrue } from "../values/kind.ts";
import type { Native, Table } from "./define.ts";

/** Stop a filter from inside its own callback, and tell that apart from a stop asked for behind it. */
function firstOutput(filter: Filter): Filter {
  if (filter.one !== null) return filter;
  return optional(
    filter.maybe ??
      ((input, env) => {
        let first: Json | undefined;
        filter.each(input, env, (value) => {
          first = value;
          return true;
        });
        return first;
      }),
    (path, input, env, emit) => {
      let behind = false;
      filter.path(path, input, env, (way, value) => {
        behind = emit(way, value);
        return true;
      });
      return behind;
    },
  );
}

function lastOutput(filter: Filter): Filter {
  if (filter.one !== null) return filter;
  return optional(
    (input, env) => {
      let last: Json | undefined;
      filter.each(input, env, (value) => {
        last = value;
        return false;
      });
      return last;
    },
    (path, input, env, emit) => {
      let last: { way: Path | null; value: Json } | null = null as { way: Path | null; value: Json } | null;
      filter.path(path, input, env, (way, value) => {
        last = { way, value };
        return false;
      });
      return last !== null && emit(last.way, last.value);
    },
  );
}

function countOf(value: Json, name: string): number {
  if (typeof value !== "number") throw raise(`${name} requires a number`);
  if (value < 0) throw raise(`${name} doesn't support negative count`);
  return value;
}

/** `limit(count; filter)`: the outputs up to the count; what is behind the last one is not even started. */
const limit: Native = ([count, filter]) =>
  many(
    (input, env, emit) =>
      count!.each(input, env, (value) => {
        const most = countOf(value, "limit");
        if (most === 0) return false;
        let taken = 0;
        let behind = false;
        filter!.each(input, env, (output) => {
          step();
          behind = emit(output);
          return behind || ++taken >= most;
        });
        return behind;
      }),
    (path, input, env, emit) =>
      count!.each(input, env, (value) => {
        const most = countOf(value, "limit");
        if (most === 0) return false;
        let taken = 0;
        let behind = false;
        filter!.path(path, input, env, (way, output) => {
          step();
          behind = emit(way, output);
          return behind || ++taken >= most;
        });
        return behind;
      }),
  );

const skip: Native = ([count, filter]) =>
  many(
    (input, env, emit) =>
      count!.each(input, env, (value) => {
        let left = countOf(value, "skip");
        return filter!.each(input, env, (output) => {
          step();
          return left-- > 0 ? false : emit(output);
        });
      }),
    (path, input, env, emit) =>
      count!.each(input, env, (value) => {
        let left = countOf(value, "skip");
        return filter!.path(path, input, env, (way, output) => {
          step();
          return left-- > 0 ? false : emit(way, output);
        });
      }),
  );

const nth: Native = ([position, filter]) =>
  many(
    (input, env, emit) =>
      position!.each(input, env, (value) => {
        if (typeof value !== "number") throw raise("nth requires a number");
        if (value < 0) throw raise("nth doesn't support negative indices");
        let left = value;
        let behind = false;
        filter!.each(input, env, (output) => {
          step();
          if (left-- >= 1) return false;
          behind = emit(output);
          return true;
        });
        return behind;
      }),
    (path, input, env, emit) =>
      position!.each(input, env, (value) => {
        if (typeof value !== "number") throw raise("nth requires a number");
        if (value < 0) throw raise("nth doesn't support negative indices");
        let left = value;
        let behind = false;
        filter!.path(path, input, env, (way, output) => {
          step();
          if (left-- >= 1) return false;
          behind = emit(way, output);
          return true;
        });
        return behind;
      }),
  );

function numbers(from: Json, to: Json, by: Json, emit: Emit): boolean {
  if (typeof from !== "number" || typeof to !== "number" || typeof by !== "number") {
    throw raise("Range bounds must be numeric");
  }
  if (by > 0) {
    for (let at = from; at < to; at += by) {
      step();
      if (emit(at)) return true;
    }
  } else if (by < 0) {
    for (let at = from; at > to; at += by) {
      step();
      if (emit(at)) return true;
    }
  }
  return false;
}

/** With `$` parameters the first argument is the outer loop. */
function range(from: Filter | null, to: Filter, by: Filter | null): Filter {
  return many((input, env, emit) => {
    const start = (then: (value: Json) => boolean): boolean =>
      from === null ? then(0) : from.each(input, env, then);
    const width = (then: (value: Json) => boolean): boolean =>
      by === null ? then(1) : by.each(input, env, then);
    return start((first) => to.each(input, env, (last) => width((pace) => numbers(first, last, pace, emit))));
  });
}

/** `recurse(f)`: the value, then the same for each output of `f`. A chain of single values is a loop. */
function recurseWith(filter: Filter, condition: Filter | null): Filter {
  const passes = (value: Json, env: Env, then: () => boolean): boolean =>
    condition === null ? then() : condition.each(value, env, (answer) => (isTrue(answer) ? then() : false));
  const next = filter.maybe;
  const simple = condition === null || condition.one !== null;
  if (next !== null && simple) {
    const test = condition?.one ?? null;
    return many(
      (input, env, emit) => {
        let value: Json | undefined = input;
        for (;;) {
          step();
          if (emit(value)) return true;
          value = next(value, env);
          if (value === undefined || (test !== null && !isTrue(test(value, env)))) return false;
        }
      },
      (path, input, env, emit) => deepPath(path, input, env, emit),
    );
  }
  function deep(value: Json, env: Env, emit: Emit): boolean {
    step();
    if (emit(value)) return true;
    enter(2);
    const stopped = filter.each(value, env, (child) => passes(child, env, () => deep(child, env, emit)));
    leave(2);
    return stopped;
  }
  function deepPath(path: Path | null, value: Json, env: Env, emit: PathEmit): boolean {
    step();
    if (emit(path, value)) return true;
    enter(2);
    const stopped = filter.path(path, value, env, (way, child) =>
      passes(child, env, () => deepPath(way, child, env, emit)),
    );
    leave(2);
    return stopped;
  }
  return many(deep, deepPath);
}

/** `while` and `until` as loops where the next value is a single one. */
const until: Native = ([condition, next]) => {
  const done = condition!.one;
  const advance = next!.one;
  if (done !== null && advance !== null) {
    return single((input, env) => {
      let value = input;
      while (!isTrue(done(value, env))) {
        step();
        value = advance(value, env);
      }
      return value;
    });
  }
  const loop = (value: Json, env: Env, emit: Emit): boolean =>
    condition!.each(value, env, (answer) => {
      step();
      if (isTrue(answer)) return emit(value);
      enter(2);
      const stopped = next!.each(value, env, (following) => loop(following, env, emit));
      leave(2);
      return stopped;
    });
  return many(loop);
};

const whileLoop: Native = ([condition, next]) => {
  const go = condition!.one;
  const advance = next!.maybe;
  if (go !== null && advance !== null) {
    return many((input, env, emit) => {
      let value: Json | undefined = input;
      while (value !== undefined && isTrue(go(value, env))) {
        step();
        if (emit(value)) return true;
        value = advance(value, env);
      }
      return false;
    });
  }
  const loop = (value: Json, env: Env, emit: Emit): boolean =>
    condition!.each(value, env, (answer) => {
      step();
      if (!isTrue(answer)) return false;
      if (emit(value)) return true;
      enter(2);
      const stopped = next!.each(value, env, (following) => loop(following, env, emit));
      leave(2);
      return stopped;
    });
  return many(loop);
};

/** Whether a generator has an output that answers `wanted`; it is not asked for more. */
function search(generator: Filter, condition: Filter, wanted: boolean): Filter {
  return single((input, env) => {
    let found = false;
    generator.each(input, env, (value) => {
      step();
      return condition.each(value, env, (answer) => {
        if (isTrue(answer) !== wanted) return false;
        found = true;
        return true;
      });
    });
    return found === wanted;
  });
}

const children: Filter = many((input, _env, emit) => iterateValue(input, emit));
const same: Filter = single((input) => input);

export const STREAMS: Table = {
  "first/1": ([filter]) => firstOutput(filter!),
  "last/1": ([filter]) => lastOutput(filter!),
  "limit/2": limit,
  "skip/2": skip,
  "nth/2": nth,
  "isempty/1": ([filter]) =>
    single((input, env) => {
      let none = true;
      filter!.each(input, env, () => {
        none = false;
        return true;
      });
      return none;
    }),
  "range/1": ([to]) => range(null, to!, null),
  "range/2": ([from, to]) => range(from!, to!, null),
  "range/3": ([from, to, by]) => range(from!, to!, by!),
  "recurse/1": ([filter]) => recurseWith(filter!, null),
  "recurse/2": ([filter, condition]) => recurseWith(filter!, condition!),
  // jq 1.8 runs it on the same input every time.
  "repeat/1": ([filter]) =>
    many(
      (input, env, emit) => {
        for (;;) {
          step();
          if (filter!.each(input, env, emit)) return true;
        }
      },
      (path, input, env, emit) => {
        for (;;) {
          step();
          if (filter!.path(path, input, env, emit)) return true;
        }
      },
    ),
  "until/2": until,
  "while/2": whileLoop,
  "any/0": () => search(children, same, true),
  "any/1": ([condition]) => search(children, condition!, true),
  "any/2": ([generator, condition]) => search(generator!, condition!, true),
  "all/0": () => search(children, same, false),
  "all/1": ([condition]) => search(children, condition!, false),
  "all/2": ([generator, condition]) => search(generator!, condition!, false),
};
