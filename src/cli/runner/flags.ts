import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { fail } from "../../base/errors.ts";
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
  secret: {
    type: "list",
    value: "NAME=SOURCE",
    about: "a secret for tasks: env:VARIABLE, file:/path (mode 0600) or credential:NAME; may be repeated",
  },
  "trusted-builder": {
    type: "list",
    value: "KEY",
    about: "public key of another runner whose provenance a publication here takes; may be repeated",
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
  readonly secret: readonly string[];
  readonly "trusted-builder": readonly string[];
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
    ...(runner.browser === undefined ? {} : { browser: { executable: runner.browser } }),
    mounts: flags.mount.map((path) => resolve(io.cwd, path)),
    ...(flags.secret.length === 0
      ? {}
      : { secrets: Object.fromEntries(flags.secret.map((text) => secretSource(text, io.cwd))) }),
    ...(flags["trusted-builder"].length === 0 ? {} : { trustedBuilders: [...flags["trusted-builder"]] }),
  };
}

type SecretSource = NonNullable<RunnerConfig["secrets"]>[string];

/** `name=file:/etc/key.pem`: where a secret's value is, never the value. */
export function secretSource(text: string, cwd: string): [string, SecretSource] {
  const [, name, kind, place] = /^([A-Za-z0-9][A-Za-z0-9._-]*)=(env|file|credential):(.+)$/.exec(text) ?? [];
  if (name === undefined || place === undefined) {
    throw fail("usage", `--secret ${text.split("=")[0]} does not say where the secret is`, {
      hint: "--secret NAME=env:VARIABLE, NAME=file:/path or NAME=credential:NAME",
    });
  }
  if (kind === "file") return [name, { file: resolve(cwd, place) }];
  if (kind === "credential" && !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(place)) {
    throw fail("usage", `--secret ${name}: ${place} is not the name of a credential`, {
      hint: "it is what LoadCredential= of the unit calls it, and no path",
    });
  }
  return [name, kind === "env" ? { env: place } : { credential: place }];
}
