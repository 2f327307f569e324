import type { ErrorCode } from "../base/errors.ts";

/** Every exit code, in one place: help, the docs and the commands read it here. */
export const EXIT = {
  ok: 0,
  local: 1,
  usage: 2,
  failed: 3,
  unreachable: 4,
  interrupted: 130,
  terminated: 143,
} as const;

export const EXIT_TEXT: Readonly<Record<number, string>> = {
  [EXIT.ok]: "done",
  [EXIT.local]: "a local file or network operation failed, a text is not valid JSON, or an internal error",
  [EXIT.usage]: "the command line is not understood, or the request was refused",
  [EXIT.failed]: "the run failed or was cancelled",
  [EXIT.unreachable]: "no orchestrator or controller is reachable",
  [EXIT.interrupted]: "stopped by SIGINT (Ctrl-C)",
  [EXIT.terminated]: "stopped by SIGTERM",
};

const LOCAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "io",
  "internal",
  "invalid_json",
  "store_newer",
  "store_corrupt",
  "store_busy",
]);
const UNREACHABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["no_orchestrator", "unavailable"]);

/** The exit code of a failure: a refusal unless it is local or nobody answered. */
export function exitCodeOf(code: ErrorCode): number {
  if (LOCAL.has(code)) return EXIT.local;
  if (UNREACHABLE.has(code)) return EXIT.unreachable;
  return EXIT.usage;
}
