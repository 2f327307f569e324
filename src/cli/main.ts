import { existsSync } from "node:fs";
import { type Failure, fail, toFailure, toProblem } from "../base/errors.ts";
import { VERSION } from "../base/version.ts";
import { type Environment, xdgPaths } from "../base/xdg.ts";
import { type Parsed, parseArguments } from "./arguments.ts";
import { EXIT, exitCodeOf } from "./exit.ts";
import { GLOBAL_FLAGS } from "./global-flags.ts";
import { createIo, type Io } from "./io.ts";
import { configPath } from "./settings.ts";
import { findCommand } from "./table.ts";

/**
 * One call of the command line: find the command, load it, parse its arguments, run it, and turn whatever it throws
 * into one line on stderr and an exit code.
 */
export async function main(argv: readonly string[], env: Environment = process.env): Promise<number> {
  const wantsJson = argv.slice(0, argv.includes("--") ? argv.indexOf("--") : undefined).includes("--json");
  let io: Io | undefined;
  try {
    const { early, words } = splitEarlyFlags(argv);
    if (words[0] === "--version") {
      if (words.length > 1) throw fail("usage", `unexpected argument for --version: ${words[1]}`);
      console.log(VERSION);
      return EXIT.ok;
    }
    if (words.length === 0) {
      const { overview } = await import("./help/overview.ts");
      const asked = early.includes("--help") || early.includes("-h");
      const basic = await openIo(parseArguments("", { examples: [] }, early, env), env);
      (asked ? basic.stdout : basic.stderr).write(overview(basic.paint));
      return asked ? EXIT.ok : EXIT.usage;
    }
    const { row, rest } = findCommand(words, early.includes("--help") || early.includes("-h"));
    const command = await row.load();
    const parsed = parseArguments(row.path, command.spec, [...early, ...rest], env);
    io = await openIo(parsed, env);
    if (parsed.globals.get("help") === true && !row.group) {
      const { commandHelp } = await import("./help/command.ts");
      io.stdout.write(commandHelp(row, command.spec, io.paint));
      return EXIT.ok;
    }
    return await command.run(parsed.args as never, io);
  } catch (error) {
    const failure = toFailure(error);
    report(failure, wantsJson);
    return exitCodeOf(failure.code);
  }
}

/** Global flags may stand before the command: `lightflow --json run list`. */
function splitEarlyFlags(argv: readonly string[]): { early: string[]; words: string[] } {
  let at = 0;
  while (at < argv.length) {
    const word = argv[at]!;
    if (word === "-h") {
      at++;
      continue;
    }
    if (!word.startsWith("--") || word === "--version") break;
    const name = word.slice(2).split("=")[0]!;
    if (!Object.hasOwn(GLOBAL_FLAGS, name)) break;
    const takesValue =
      GLOBAL_FLAGS[name as keyof typeof GLOBAL_FLAGS].type !== "boolean" && !word.includes("=");
    at += takesValue ? 2 : 1;
  }
  return { early: argv.slice(0, at), words: argv.slice(at) };
}

async function openIo(parsed: Parsed, env: Environment): Promise<Io> {
  const { globals } = parsed;
  const paths = xdgPaths(env);
  const flags: Record<string, string> = {};
  const root = globals.get("root");
  if (typeof root === "string") flags["root"] = root;
  const logLevel = globals.get("log-level");
  if (typeof logLevel === "string") flags["logLevel"] = logLevel;
  // The schema and the YAML reader cost more than most commands: they come in only when there is a file to read.
  const path = configPath(paths);
  const config = existsSync(path) ? await import("./config.ts") : undefined;
  return createIo(
    {
      json: globals.get("json") === true,
      noColor: globals.get("no-color") === true,
      flags,
      file: () => config?.readConfigFile(path) ?? {},
      paths,
    },
    env,
  );
}

/** One line, or with `--json` the problem object, on stderr. */
function report(failure: Failure, json: boolean): void {
  const { message } = failure;
  const hint = failure.hint === undefined ? "" : `${message.endsWith("?") ? "" : ";"} ${failure.hint}`;
  const text = json
    ? JSON.stringify(toProblem(failure), null, 2)
    : `${message}${hint}`.replace(/\s*\n\s*/g, " ");
  console.error(text);
  if (failure.code === "internal" && process.env["LIGHTFLOW_LOG_LEVEL"] === "debug") {
    console.error(failure.cause instanceof Error ? failure.cause.stack : failure.stack);
  }
}
