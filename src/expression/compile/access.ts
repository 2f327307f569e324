import type { Json, JsonObject } from "../../base/json.ts";
import { enter, leave, spend, step } from "../meter.ts";
import { describe, type Raised, raise } from "../values/failure.ts";
import { getKey, getMember, getSlice } from "../values/path.ts";
import { serialize } from "../values/serialize.ts";
import { type Filter, isConstant, many, type One, type Path, type PathEach, single } from "./filter.ts";

/** What an attempt to go on from a value off the path says. */
function offPath(key: Json, value: Json): Raised {
  return raise(
    `Invalid path expression near attempt to access element ${serialize(key, 64)} of ${shortened(value)}`,
  );
}

/** A value as path errors show it. */
export function shortened(value: Json): string {
  const shown = describe(value);
  return shown.slice(shown.indexOf("(") + 1, -1);
}

function extend(path: Path | null, key: Json, value: Json): Path {
  if (path === null) throw offPath(key, value);
  return { parent: path, key };
}

/** Names that every object seems to have; for all others plain property access is right. */
function isPlainName(name: string): boolean {
  return !(name in Object.prototype);
}

function memberReader(name: string): (input: Json) => Json {
  if (!isPlainName(name)) return (input) => getMember(input, name);
  return (input) => {
    if (typeof input === "object" && input !== null && !Array.isArray(input)) {
      const value = (input as JsonObject)[name];
      return value === undefined ? null : value;
    }
    return getMember(input, name);
  };
}

/** `target.name` */
function member(target: Filter, name: string): Filter {
  const read = memberReader(name);
  const path: PathEach = (from, input, env, emit) =>
    target.path(from, input, env, (way, value) => emit(extend(way, name, value), read(value)));
  if (target.shape === "identity") {
    return {
      ...single(read, (from, input, _env, emit) => emit(extend(from, name, input), read(input))),
      shape: { member: name },
    };
  }
  const of = target.one;
  if (of !== null) {
    return {
      ...single((input, env) => read(of(input, env)), path),
      independent: target.independent === true,
    };
  }
  return many((input, env, emit) => target.each(input, env, (value) => emit(read(value))), path);
}

/** `target[key]`: the key is the outer loop. */
export function index(target: Filter, key: Filter): Filter {
  if (isConstant(key) && typeof key.constant === "string") return member(target, key.constant);
  const path: PathEach = (from, input, env, emit) =>
    key.each(input, env, (at) =>
      target.path(from, input, env, (way, value) => emit(extend(way, at, value), getKey(value, at))),
    );
  const of = target.one;
  const by = key.one;
  if (of !== null && by !== null) {
    const one: One = (input, env) => {
      const at = by(input, env);
      return getKey(of(input, env), at);
    };
    return { ...single(one, path), independent: target.independent === true };
  }
  return many(
    (input, env, emit) =>
      key.each(input, env, (at) => target.each(input, env, (value) => emit(getKey(value, at)))),
    path,
  );
}

/** `target[from:to]`: `from` is the outermost loop, the target the innermost. */
export function slice(target: Filter, from: Filter, to: Filter): Filter {
  const path: PathEach = (root, input, env, emit) =>
    from.each(input, env, (start) =>
      to.each(input, env, (end) =>
        target.path(root, input, env, (way, value) =>
          emit(extend(way, { start, end }, value), getSlice(value, start, end)),
        ),
      ),
    );
  const of = target.one;
  const first = from.one;
  const last = to.one;
  if (of !== null && first !== null && last !== null) {
    return single((input, env) => getSlice(of(input, env), first(input, env), last(input, env)), path);
  }
  return many(
    (input, env, emit) =>
      from.each(input, env, (start) =>
        to.each(input, env, (end) => target.each(input, env, (value) => emit(getSlice(value, start, end)))),
      ),
    path,
  );
}

export function cannotIterate(value: Json): Raised {
  return raise(`Cannot iterate over ${describe(value)}`);
}

/** The children of a value in order; `emit` true stops. */
export function iterateValue(value: Json, emit: (child: Json) => boolean): boolean {
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      step();
      if (emit(value[i]!)) return true;
    }
    return false;
  }
  if (typeof value !== "object" || value === null) throw cannotIterate(value);
  for (const key of Object.keys(value)) {
    step();
    if (emit(value[key]!)) return true;
  }
  return false;
}

function iteratePath(
  way: Path | null,
  value: Json,
  emit: (path: Path | null, child: Json) => boolean,
): boolean {
  if (typeof value !== "object" || value === null) throw cannotIterate(value);
  if (way === null)
    throw raise(`Invalid path expression near attempt to iterate through ${shortened(value)}`);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      step();
      if (emit({ parent: way, key: i }, value[i]!)) return true;
    }
    return false;
  }
  for (const key of Object.keys(value)) {
    step();
    if (emit({ parent: way, key }, value[key]!)) return true;
  }
  return false;
}

/** `target[]` */
export function iterate(target: Filter): Filter {
  const of = target.one;
  const path: PathEach = (from, input, env, emit) =>
    target.path(from, input, env, (way, value) => iteratePath(way, value, emit));
  if (of !== null) {
    return {
      ...many((input, env, emit) => iterateValue(of(input, env), emit), path),
      loop: { source: of, body: null, exact: true },
    };
  }
  return many((input, env, emit) => target.each(input, env, (value) => iterateValue(value, emit)), path);
}

/** `..`: the value and everything below it, depth first. */
export function recurseValue(value: Json, emit: (value: Json) => boolean): boolean {
  step();
  if (emit(value)) return true;
  if (typeof value !== "object" || value === null) return false;
  enter();
  const children = Array.isArray(value) ? value : Object.values(value);
  let stopped = false;
  for (let i = 0; i < children.length && !stopped; i++) stopped = recurseValue(children[i]!, emit);
  leave();
  return stopped;
}

export function recursePath(
  way: Path | null,
  value: Json,
  emit: (path: Path | null, value: Json) => boolean,
): boolean {
  step();
  if (emit(way, value)) return true;
  if (typeof value !== "object" || value === null) return false;
  enter();
  const stopped = iteratePath(way, value, (path, child) => recursePath(path, child, emit));
  leave();
  return stopped;
}

export const recurse: Filter = many(
  (input, _env, emit) => recurseValue(input, emit),
  (path, input, _env, emit) => recursePath(path, input, emit),
);

/** A path as the array that jq programs see. */
export function pathArray(path: Path): Json[] {
  const keys: Json[] = [];
  for (let at: Path = path; at.parent !== null; at = at.parent) keys.push(at.key);
  spend(keys.length);
  return keys.reverse();
}
