import type { Json } from "../../base/json.ts";
import { recursePath, recurseValue } from "../compile/access.ts";
import { eachPath } from "../compile/assign.ts";
import { type Env, type Filter, many, product, single } from "../compile/filter.ts";
import { raise } from "../values/failure.ts";
import { isTrue } from "../values/kind.ts";
import { deletePaths, getPath, setPath } from "../values/path.ts";
import type { Table } from "./define.ts";

const allPaths: Filter = many(
  (input, _env, emit) => recurseValue(input, emit),
  (path, input, _env, emit) => recursePath(path, input, emit),
);

function asPaths(input: Json, env: Env, filter: Filter): Json[] {
  const paths: Json[] = [];
  eachPath(filter, input, env, (path) => {
    paths.push(path);
    return false;
  });
  return paths;
}

function checkPath(path: Json): readonly Json[] {
  if (!Array.isArray(path)) throw raise("Path must be specified as an array");
  return path;
}

export const PATHS: Table = {
  "path/1": ([filter]) => many((input, env, emit) => eachPath(filter!, input, env, (path) => emit(path))),
  "paths/0": () =>
    many((input, _env, emit) => eachPath(allPaths, input, null, (path) => path.length > 0 && emit(path))),
  "paths/1": ([test]) =>
    many((input, env, emit) =>
      eachPath(
        allPaths,
        input,
        null,
        (path, value) => path.length > 0 && test!.each(value, env, (answer) => isTrue(answer) && emit(path)),
      ),
    ),
  "del/1": ([filter]) => single((input, env) => deletePaths(input, asPaths(input, env, filter!))),
  "delpaths/1": ([filter]) =>
    many((input, env, emit) =>
      filter!.each(input, env, (paths) => {
        if (!Array.isArray(paths)) throw raise("Paths must be specified as an array");
        return emit(deletePaths(input, paths));
      }),
    ),
  "setpath/2": (list) =>
    many((input, env, emit) =>
      product(list, input, env, (values) => emit(setPath(input, checkPath(values[0]!), values[1]!, null))),
    ),
  "getpath/1": ([filter]) => {
    const one = filter!.one;
    const path: Filter["path"] = (from, input, env, emit) =>
      filter!.each(input, env, (keys) => {
        let way = from;
        for (const key of checkPath(keys)) {
          if (way === null) throw raise("Invalid path expression with getpath");
          way = { parent: way, key };
        }
        return emit(way, getPath(input, keys as Json[]));
      });
    if (one !== null) return single((input, env) => getPath(input, checkPath(one(input, env))), path);
    return many(
      (input, env, emit) => filter!.each(input, env, (keys) => emit(getPath(input, checkPath(keys)))),
      path,
    );
  },
  "pick/1": ([filter]) =>
    single((input, env) => {
      let made: Json = null;
      eachPath(filter!, input, env, (path) => {
        made = setPath(made, path, getPath(input, path), null);
        return false;
      });
      return made;
    }),
};
