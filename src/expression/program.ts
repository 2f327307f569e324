import { Failure, fail } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { compile } from "./compile/compile.ts";
import type { Filter } from "./compile/filter.ts";
import { type Budget, charge, exhausted, ITEM_BYTES, meter, startMeter } from "./meter.ts";
import { parse } from "./syntax/parser.ts";
import { Raised } from "./values/failure.ts";
import { finish } from "./values/finish.ts";
import { serialize } from "./values/serialize.ts";

export { type Budget, DEFAULT_BUDGET } from "./meter.ts";

export interface RunOptions {
  /** Values of the free variables, without the dollar sign. */
  readonly variables?: Record<string, Json>;
  /** What `now` says, in milliseconds since 1970. Without it `now` is an error. */
  readonly now?: number;
  readonly budget?: Partial<Budget>;
}

/** A compiled jq program. Inputs and variables are never changed; results may share parts with them. */
export interface Program {
  readonly source: string;
  /** The free variables it uses, without the dollar sign. */
  readonly variables: readonly string[];
  /**
   * Every output.
   * @throws expression_failed with jq's message, expression_budget
   */
  run(input: Json, options?: RunOptions): Json[];
  /** The only output; null where there is none. @throws as `run`, and expression_failed for more than one */
  first(input: Json, options?: RunOptions): Json;
}

const CACHED_PROGRAMS = 2_000;
/** Longer programs are rare and would fill the memory: each caller keeps its own. */
const LONGEST_CACHED = 16 * 1024;
const cache = new Map<string, Program>();
const NONE: (Json | undefined)[] = [];

/**
 * Compile jq 1.8 without input, output, files, environment and modules. The most recently used programs are kept.
 * @param declared the free variables that may be used; any, where it is left out
 * @throws expression_invalid with the offset, line and column of the first mistake
 * @example compileProgram(".items | map(.price) | add").first({ items: [{ price: 2 }, { price: 3 }] }) // 5
 */
export function compileProgram(source: string, declared?: readonly string[]): Program {
  const key = declared === undefined ? source : `${declared.join(" ")}\n${source}`;
  const known = cache.get(key);
  if (known !== undefined) {
    cache.delete(key);
    cache.set(key, known);
    return known;
  }
  const program = build(source, declared ?? null);
  if (source.length > LONGEST_CACHED) return program;
  if (cache.size >= CACHED_PROGRAMS) cache.delete(cache.keys().next().value!);
  cache.set(key, program);
  return program;
}

function build(source: string, declared: readonly string[] | null): Program {
  // Constants are computed while compiling, so that has a budget as well.
  startMeter(undefined, undefined);
  const { filter, variables } = guarded(source, () => compile(parse(source), source, declared));
  const run = (options: RunOptions | undefined, use: () => void): void => {
    startMeter(options?.budget, options?.now);
    meter.variables =
      variables.length === 0 ? NONE : variables.map((name) => variableOf(options?.variables, name));
    guarded(source, use);
    if (variables.length > 0) meter.variables = NONE;
  };
  return {
    source,
    variables,
    run(input, options) {
      const outputs: Json[] = [];
      run(options, () => {
        filter.each(input, null, (value) => {
          charge(ITEM_BYTES);
          outputs.push(finish(value));
          return false;
        });
      });
      return outputs;
    },
    first(input, options) {
      let output: Json = null;
      run(options, () => {
        output = only(filter, input);
      });
      return output;
    },
  };
}

function variableOf(variables: Record<string, Json> | undefined, name: string): Json | undefined {
  return variables !== undefined && Object.hasOwn(variables, name) ? variables[name] : undefined;
}

function only(filter: Filter, input: Json): Json {
  if (filter.maybe !== null) return finish(filter.maybe(input, null) ?? null);
  let output: Json | undefined;
  filter.each(input, null, (value) => {
    if (output !== undefined) {
      throw fail("expression_failed", "the expression has more than one output", {
        hint: "wrap it in [ ] for a list of them, or in first( ) for the first",
      });
    }
    output = value;
    return false;
  });
  return finish(output ?? null);
}

/** Turn what a program throws into the product's errors. */
function guarded<T>(source: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (error instanceof Raised) throw failed(error.value);
    // The engine's stack or a string's length ran out before the budget did.
    if (error instanceof RangeError) throw exhausted("depth");
    throw fail("internal", `the expression ${JSON.stringify(source.slice(0, 200))} failed in its evaluator`, {
      cause: error,
    });
  }
}

function failed(value: Json): Failure {
  startMeter(undefined, undefined);
  const message = typeof value === "string" ? value : `${serialize(value, 400)} (not a string)`;
  return fail("expression_failed", message, {
    details: typeof value === "string" ? {} : { value: finish(value) },
  });
}
