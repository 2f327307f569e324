import { nearest } from "../assets/nearest.ts";
import { type Failure, fail } from "../base/errors.ts";
import type { Environment } from "../base/xdg.ts";
import { GLOBAL_FLAGS } from "./global-flags.ts";
import type { Arguments, CommandSpec, FlagSpec, PositionalSpec } from "./spec.ts";

type Value = string | number | boolean | string[] | Map<string, string>;

export interface Parsed {
  /** Typed for the command by the dispatcher. */
  readonly args: Arguments;
  readonly globals: ReadonlyMap<string, Value>;
}

/**
 * Read what stands behind the command's path, strictly: every argument must be known, each flag given once, every
 * value present. `--flag value` and `--flag=value` are the same; `--` ends the flags.
 * @param path the command's path as messages show it: `run list`
 */
export function parseArguments(
  path: string,
  spec: CommandSpec,
  argv: readonly string[],
  env: Environment,
): Parsed {
  const flags: Readonly<Record<string, FlagSpec>> = { ...GLOBAL_FLAGS, ...spec.flags };
  const values = new Map<string, Value>();
  const given = new Set<string>();
  const words: string[] = [];
  const wanted = spec.positionals ?? [];
  const room = wanted.at(-1)?.rest ? Number.POSITIVE_INFINITY : wanted.length;

  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!;
    if (word === "--") {
      words.push(...argv.slice(at + 1));
      break;
    }
    if (word === "-h") {
      values.set("help", true);
      continue;
    }
    if (!word.startsWith("-") || word === "-") {
      words.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const name = word.slice(0, equals === -1 ? undefined : equals);
    const flag =
      name.startsWith("--") && Object.hasOwn(flags, name.slice(2)) ? flags[name.slice(2)] : undefined;
    if (flag === undefined) throw unexpected(path, word, name, Object.keys(flags));
    const key = name.slice(2);
    if (given.has(key) && flag.type !== "list" && flag.type !== "pairs") {
      throw fail("usage", `duplicate flag ${name}`, { hint: "give it once" });
    }
    given.add(key);
    if (flag.type === "boolean") {
      if (equals !== -1)
        throw fail("usage", `unexpected value for ${name}`, { hint: "it is a switch: leave the value out" });
      values.set(key, true);
      continue;
    }
    let text: string;
    if (equals !== -1) text = word.slice(equals + 1);
    else {
      const next = argv[at + 1];
      if (next === undefined || next.startsWith("--")) {
        throw fail("usage", `missing value for ${name}`, { hint: `write ${name} ${flag.value}` });
      }
      text = next;
      at++;
    }
    store(values, key, flag, text, name);
  }

  // Help is answered whatever else is missing or too much.
  const asksHelp = values.get("help") === true;
  if (!asksHelp) {
    if (words.length > room) throw unexpectedWord(path, words[room]!, wanted);
    // The environment of global flags is read with the settings, where config.yaml stands below it.
    for (const [key, flag] of Object.entries(spec.flags ?? {})) fillIn(values, key, flag, env);
  }
  const positionals = asksHelp ? {} : place(path, words, wanted);

  const own: Record<string, unknown> = {};
  for (const key of Object.keys(spec.flags ?? {})) own[key] = values.get(key) ?? emptyOf(spec.flags![key]!);
  const globals = new Map<string, Value>();
  for (const key of Object.keys(GLOBAL_FLAGS)) {
    const value = values.get(key);
    if (value !== undefined) globals.set(key, value);
  }
  return { args: { positionals, flags: own, given } as unknown as Arguments, globals };
}

function emptyOf(flag: FlagSpec): unknown {
  switch (flag.type) {
    case "boolean":
      return false;
    case "list":
      return [];
    case "pairs":
      return new Map();
    default:
      return undefined;
  }
}

function store(values: Map<string, Value>, key: string, flag: FlagSpec, text: string, source: string): void {
  switch (flag.type) {
    case "boolean":
      values.set(key, readSwitch(text, source));
      return;
    case "integer":
      values.set(key, readInteger(flag, text, source));
      return;
    case "list": {
      checkChoice(flag.choices, text, source);
      const list = values.get(key);
      if (Array.isArray(list)) list.push(text);
      else values.set(key, [text]);
      return;
    }
    case "pairs": {
      const equals = text.indexOf("=");
      if (equals < 1)
        throw fail("usage", `expected key=value for ${source}: ${text}`, {
          hint: `write ${source} name=value`,
        });
      const pairs =
        values.get(key) instanceof Map ? (values.get(key) as Map<string, string>) : new Map<string, string>();
      const name = text.slice(0, equals);
      if (pairs.has(name))
        throw fail("usage", `duplicate key ${name} for ${source}`, { hint: "give each key once" });
      values.set(key, pairs.set(name, text.slice(equals + 1)));
      return;
    }
    case "string":
      checkChoice(flag.choices, text, source);
      values.set(key, text);
  }
}

/** The environment, then the default, for a flag that was not given; a required one that is still missing is refused. */
function fillIn(values: Map<string, Value>, key: string, flag: FlagSpec, env: Environment): void {
  if (values.has(key)) return;
  const fromEnvironment = flag.env === undefined ? undefined : env[flag.env];
  if (fromEnvironment !== undefined && fromEnvironment !== "")
    store(values, key, flag, fromEnvironment, flag.env!);
  else if ("default" in flag && flag.default !== undefined) values.set(key, flag.default);
  else if (flag.required) {
    throw fail("usage", `missing --${key}`, {
      hint: `write --${key} ${flag.type === "boolean" ? "" : flag.value}`.trimEnd(),
    });
  }
}

function place(
  path: string,
  words: readonly string[],
  wanted: readonly PositionalSpec[],
): Record<string, unknown> {
  const placed: Record<string, unknown> = {};
  wanted.forEach((spec, index) => {
    if (spec.rest) {
      const rest = words.slice(index);
      if (rest.length === 0 && !spec.optional) throw missing(path, spec);
      for (const word of rest) checkChoice(spec.choices, word, spec.label);
      placed[spec.name] = rest;
      return;
    }
    const word = words[index];
    if (word === undefined) {
      if (!spec.optional) throw missing(path, spec);
      return;
    }
    checkChoice(spec.choices, word, spec.label);
    placed[spec.name] = word;
  });
  return placed;
}

function missing(path: string, spec: PositionalSpec): Failure {
  const choices = spec.choices === undefined ? "" : `; one of ${spec.choices.join(", ")}`;
  return fail("usage", `missing ${spec.label}`, { hint: `see lightflow ${path} --help${choices}` });
}

function checkChoice(choices: readonly string[] | undefined, text: string, source: string): void {
  if (choices === undefined || choices.includes(text)) return;
  const near = nearest(text, choices, "did you mean ");
  throw fail(
    "usage",
    `${source} must be ${choices.join("|")}: ${text}`,
    near === "" ? {} : { hint: `${near}?` },
  );
}

function readInteger(flag: { minimum?: number; maximum?: number }, text: string, source: string): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = flag;
  if (!Number.isSafeInteger(value) || value < minimum || value > maximum) {
    const range =
      flag.minimum === undefined && flag.maximum === undefined
        ? ""
        : flag.maximum === undefined
          ? ` from ${minimum}`
          : ` from ${flag.minimum ?? "any"} to ${maximum}`;
    throw fail("usage", `${source} must be an integer${range}: ${text}`);
  }
  return value;
}

function readSwitch(text: string, source: string): boolean {
  if (text === "1" || text === "true") return true;
  if (text === "0" || text === "false") return false;
  throw fail("usage", `${source} must be 1|0|true|false: ${text}`);
}

function unexpected(path: string, word: string, name: string, known: readonly string[]): Failure {
  const near = nearest(name.replace(/^-+/, ""), known, "--");
  const hint = near === "" ? `see lightflow ${path} --help`.replace("  ", " ") : `did you mean ${near}?`;
  return fail("usage", `unexpected argument for ${path || "lightflow"}: ${word}`, { hint });
}

function unexpectedWord(path: string, word: string, wanted: readonly PositionalSpec[]): Failure {
  const takes =
    wanted.length === 0 ? "it takes no arguments" : `it takes ${wanted.map((each) => each.label).join(", ")}`;
  return fail("usage", `unexpected argument for ${path}: ${word}`, { hint: takes });
}
