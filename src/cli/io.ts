import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fail } from "../base/errors.ts";
import { createLog, type Log } from "../base/log.ts";
import type { Environment, Paths } from "../base/xdg.ts";
import { logText } from "./log-text.ts";
import { Output } from "./output.ts";
import { createPaint, type Paint } from "./paint.ts";
import { type ResolvedSettings, resolveSettings, type Settings, type SettingValues } from "./settings.ts";
import { valueText } from "./value-text.ts";

/** Why a command should end early. */
export type StopReason = "SIGINT" | "SIGTERM" | "SIGHUP" | "EPIPE";

/** What a command sees of the world around it. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Whether stdout is a terminal. */
  readonly isTerminal: boolean;
  readonly env: Environment;
  readonly cwd: string;
  readonly paths: Paths;
  /** JSON on stdout: asked for, or stdout is no terminal. */
  readonly json: boolean;
  /** `--json` itself was given, so errors are JSON too. */
  readonly jsonAsked: boolean;
  readonly color: boolean;
  /** For stdout. */
  readonly paint: Paint;
  /** For stderr, which may be a terminal when stdout is not. */
  readonly errorPaint: Paint;
  /**
   * Flags over environment over `config.yaml` over defaults. A bad file or variable is refused on first use, so that
   * `help`, `doctor` and `config path` work with one.
   */
  settings(): Settings;
  /** The same with where each value came from. */
  resolvedSettings(): ResolvedSettings;
  /** The project's directory, absolute. @throws Failure `not_found` when the one that was named is missing */
  root(): string;
  log(): Log;
  /** A value as the command's answer: JSON (2 spaces) or, on a terminal, what `readable` (or {@link valueText}) makes of it. */
  print(value: unknown, readable?: (paint: Paint) => string): void;
  /** All of stdin as text. */
  readInput(): Promise<string>;
  /**
   * Aborted (reason: a {@link StopReason}) by SIGINT, SIGTERM, SIGHUP, or a reader of stdout that has gone. Before the
   * first call signals have their default effect; after it a second SIGINT ends the process at once.
   */
  stop(): AbortSignal;
  /** The same for what shows things as they happen: also when the reader of stdout goes while there is nothing to write. */
  following(): Promise<AbortSignal>;
}

export interface IoOptions {
  readonly json: boolean;
  readonly noColor: boolean;
  /** Settings from global flags. */
  readonly flags: SettingValues;
  /** What `config.yaml` holds; throws where it is not valid. */
  readonly file: () => SettingValues;
  readonly paths: Paths;
}

export function createIo(options: IoOptions, env: Environment = process.env): Io {
  const stopping = new AbortController();
  const stdout = new Output(1, () => stopping.abort("EPIPE" satisfies StopReason));
  const stderr = new Output(2, () => {});
  const mayColor = !options.noColor && !env["NO_COLOR"] && env["TERM"] !== "dumb";
  const color = stdout.isTerminal && mayColor;
  const json = options.json || !stdout.isTerminal;
  const cwd = process.cwd();
  let resolved: ResolvedSettings | undefined;
  let listening = false;

  const io: Io = {
    stdout,
    stderr,
    isTerminal: stdout.isTerminal,
    env,
    cwd,
    paths: options.paths,
    json,
    jsonAsked: options.json,
    color,
    paint: createPaint(color),
    errorPaint: createPaint(stderr.isTerminal && mayColor),
    settings: () => io.resolvedSettings().settings,
    resolvedSettings() {
      resolved ??= resolveSettings(options.flags, env, options.file());
      return resolved;
    },
    root() {
      const { root: named } = io.settings();
      if (named === undefined) return cwd;
      const root = resolve(cwd, named);
      // Else a mistyped root has no files, hence nothing to say, and passes.
      if (!existsSync(root)) {
        throw fail("not_found", `there is no project directory ${root}`, {
          hint: "name another with --root, or make one with lightflow init",
        });
      }
      return root;
    },
    log() {
      const write = (line: string) => stderr.write(line);
      const level = io.settings().logLevel;
      return stderr.isTerminal && !options.json
        ? createLog(level, write, logText(io.errorPaint))
        : createLog(level, write);
    },
    print(value, readable) {
      if (json) stdout.write(`${JSON.stringify(value, null, 2)}\n`);
      else
        stdout.write(withNewline(readable === undefined ? valueText(value, io.paint) : readable(io.paint)));
    },
    async readInput() {
      if (process.stdin.isTTY) {
        throw fail("usage", "nothing is piped into stdin", {
          hint: "pipe a file in, or give the value itself",
        });
      }
      return await Bun.stdin.text();
    },
    stop() {
      if (!listening) {
        listening = true;
        for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
          process.on(signal, () => {
            if (stopping.signal.aborted && signal === "SIGINT") process.exit(130);
            stopping.abort(signal satisfies StopReason);
          });
        }
      }
      return stopping.signal;
    },
    async following() {
      const { whenReaderGoes } = await import("./gone-reader.ts");
      whenReaderGoes(1, () => stopping.abort("EPIPE" satisfies StopReason));
      return io.stop();
    },
  };
  return io;
}

function withNewline(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
