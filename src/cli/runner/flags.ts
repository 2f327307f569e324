import { hostname } from "node:os";
import { join, resolve } from "node:path";
import type { RunnerConfig } from "../../host/runner-tools.ts";
import type { Io } from "../io.ts";

/** What a runner is told about itself: flags of `runner` and of `runner describe`. */
export const RUNNER_FLAGS = {
  id: { type: "string", value: "RUNNER", about: "the id it was enrolled with" },
  tenant: {
    type: "string",
    value: "TENANT",
    about: "the tenant it was enrolled for",
    defaultText: "default",
  },
  "host-id": {
    type: "string",
    value: "HOST",
    about: "the host it was enrolled for",
    defaultText: "this host's name",
  },
  pool: { type: "list", value: "POOL", about: "pools to offer; may be repeated", defaultText: "default" },
  profile: {
    type: "list",
    value: "PROFILE",
    about: "execution profiles to offer; may be repeated",
    defaultText: "default",
  },
  capability: { type: "list", value: "NAME", about: "capabilities to offer; may be repeated" },
  slots: {
    type: "integer",
    value: "N",
    minimum: 1,
    maximum: 1024,
    about: "tasks at once",
    defaultText: "one a processor",
  },
  mount: {
    type: "list",
    value: "DIR",
    about: "host directory below which a task may ask for mounts; may be repeated",
  },
  "data-dir": {
    type: "string",
    value: "DIR",
    about: "journal and workspaces",
    defaultText: "runner-ID in the state directory",
  },
} as const;

export interface RunnerFlags {
  readonly id: string;
  readonly tenant: string | undefined;
  readonly "host-id": string | undefined;
  readonly pool: readonly string[];
  readonly profile: readonly string[];
  readonly capability: readonly string[];
  readonly slots: number | undefined;
  readonly mount: readonly string[];
  readonly "data-dir": string | undefined;
}

export function runnerConfig(flags: RunnerFlags, io: Io): typeof RunnerConfig.static {
  const { runner } = io.settings();
  return {
    runnerId: flags.id,
    tenantId: flags.tenant ?? "default",
    hostId: flags["host-id"] ?? hostname(),
    runnerPools: flags.pool.length > 0 ? [...flags.pool] : ["default"],
    executionProfiles: flags.profile.length > 0 ? [...flags.profile] : ["default"],
    capabilities: [...flags.capability],
    dataDirectory:
      flags["data-dir"] === undefined
        ? join(io.paths.state, `runner-${flags.id}`)
        : resolve(io.cwd, flags["data-dir"]),
    slots: flags.slots ?? (runner.slots === 0 ? navigator.hardwareConcurrency : runner.slots),
    sandbox: runner.sandbox,
    mounts: flags.mount.map((path) => resolve(io.cwd, path)),
  };
}
