import { constants } from "node:os";
import type { ProcessExit } from "../sandbox.ts";

const NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** A container's exit code as a shell would write it: 128 and the number of a signal that ended the command. */
export function exitOf(code: number): ProcessExit {
  const signal = code > 128 ? NAMES.get(code - 128) : undefined;
  return signal === undefined ? { exitCode: code, signal: null } : { exitCode: null, signal };
}
