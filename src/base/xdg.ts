import { homedir, tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";

export type Environment = Record<string, string | undefined>;

/** Where the product keeps its files. All absolute. */
export interface Paths {
  readonly config: string;
  readonly state: string;
  readonly cache: string;
  readonly runtime: string;
}

/**
 * XDG Base Directory paths for `lightflow`. An empty or relative variable is ignored, as the specification says;
 * without a runtime directory a private one of this user under the temporary directory is used.
 */
export function xdgPaths(env: Environment = process.env): Paths {
  const home = env["HOME"] && isAbsolute(env["HOME"]) ? env["HOME"] : homedir();
  const pick = (name: string, fallback: string): string => {
    const value = env[name];
    return join(value && isAbsolute(value) ? value : fallback, "lightflow");
  };
  const uid = process.getuid?.() ?? 0;
  return {
    config: pick("XDG_CONFIG_HOME", join(home, ".config")),
    state: pick("XDG_STATE_HOME", join(home, ".local", "state")),
    cache: pick("XDG_CACHE_HOME", join(home, ".cache")),
    runtime: pick("XDG_RUNTIME_DIR", join(tmpdir(), `lightflow-${uid}`)),
  };
}
