import { existsSync } from "node:fs";
import type { SandboxRequest } from "./sandbox.ts";

/** Absolute, so that a task's own PATH has no say in it. */
const PRLIMIT = ["/usr/bin/prlimit", "/bin/prlimit"].find((path) => existsSync(path));

export const canLimit = PRLIMIT !== undefined;

/**
 * The command behind `prlimit`, when the task has limits. Memory is limited as data segment, not as address space:
 * JavaScript engines reserve far more addresses than they ever use.
 */
export function withLimits(request: SandboxRequest, argv: string[]): string[] {
  if (PRLIMIT === undefined) return argv;
  const limits: string[] = [];
  if (request.memoryBytes !== undefined) limits.push(`--data=${request.memoryBytes}`);
  if (request.processes !== undefined) limits.push(`--nproc=${request.processes}`);
  return limits.length === 0 ? argv : [PRLIMIT, "--core=0", ...limits, "--", ...argv];
}
