import type { Environment } from "./xdg.ts";

/**
 * Variables that change what a Bun executable does before its first line runs: `BUN_BE_BUN=1` turns this executable
 * into plain Bun, `BUN_OPTIONS` preloads files into it. A child that inherits them is no longer the program we meant.
 */
const STEERING = ["BUN_BE_BUN", "BUN_OPTIONS", "BUN_INSPECT", "BUN_INSPECT_CONNECT_TO"] as const;

/** The environment for a child process: ours without what steers Bun, and with `extra` on top (`undefined` removes). */
export function childEnvironment(
  env: Environment = process.env,
  extra: Environment = {},
): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...env, ...extra })) {
    if (value !== undefined && !(STEERING as readonly string[]).includes(name)) result[name] = value;
  }
  return result;
}
