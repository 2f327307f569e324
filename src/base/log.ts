import { isoTime } from "./clock.ts";

export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Diagnostics for operators, on stderr, one JSON object a line (on a terminal a line of text). Never secrets, never task output. */
export interface Log {
  error(message: string, facts?: Record<string, unknown>): void;
  warn(message: string, facts?: Record<string, unknown>): void;
  info(message: string, facts?: Record<string, unknown>): void;
  debug(message: string, facts?: Record<string, unknown>): void;
}

/** An entry as it is written, with its newline. */
export type LogLine = (level: LogLevel, message: string, facts?: Record<string, unknown>) => string;

const jsonLine: LogLine = (level, message, facts) =>
  `${JSON.stringify({ ts: isoTime(Date.now()), level, message, ...facts })}\n`;

export function createLog(
  level: LogLevel,
  write: (line: string) => void = (line) => process.stderr.write(line),
  lineOf: LogLine = jsonLine,
): Log {
  const limit = LOG_LEVELS.indexOf(level);
  const at = (name: LogLevel) => (message: string, facts?: Record<string, unknown>) => {
    if (LOG_LEVELS.indexOf(name) > limit) return;
    write(lineOf(name, message, facts));
  };
  return { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") };
}

export const silentLog: Log = { error() {}, warn() {}, info() {}, debug() {} };
