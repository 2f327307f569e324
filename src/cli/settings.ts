import { join } from "node:path";
import { fail } from "../base/errors.ts";
import { LOG_LEVELS, type LogLevel } from "../base/log.ts";
import type { Environment, Paths } from "../base/xdg.ts";

/** The last three need a runner.yaml that says where they are. */
export const SANDBOX_CHOICES = [
  "auto",
  "bubblewrap",
  "oci",
  "process",
  "kubernetes",
  "cubesandbox",
  "vm",
] as const;
export type SandboxChoice = (typeof SANDBOX_CHOICES)[number];

/** What a host and its command line can be set to. */
export interface Settings {
  /** Where the gateway and the controller listen. */
  readonly host: string;
  readonly port: number;
  readonly controllerPort: number;
  readonly logLevel: LogLevel;
  /** The project's directory; the working directory when absent. */
  readonly root: string | undefined;
  /** The place of CortexFS; `/ctx` when absent and there. */
  readonly ctx: string | undefined;
  /** Days after which the history of a run that has ended becomes an artifact; 0 is never. */
  readonly historyDays: number;
  readonly runner: {
    /** Tasks at once; 0 is one for each processor. */
    readonly slots: number;
    readonly sandbox: SandboxChoice;
    readonly browser: string | undefined;
  };
}

/** Settings by their dotted name, as one layer gives them. */
export type SettingValues = Readonly<Record<string, string | number>>;

export type SettingSource = "default" | "config.yaml" | "environment" | "flag";

interface SettingRow {
  readonly env: string;
  readonly about: string;
  readonly default: string | number | undefined;
  readonly choices?: readonly string[];
  readonly range?: readonly [number, number];
}

const port = (env: string, about: string, value: number): SettingRow => ({
  env,
  about,
  default: value,
  range: [0, 65_535],
});

/** Every setting: its name in `config.yaml`, its variable, its default. */
export const SETTINGS = {
  host: {
    env: "LIGHTFLOW_HOST",
    about: "address that the gateway and the controller listen on",
    default: "127.0.0.1",
  },
  port: port("LIGHTFLOW_PORT", "port of the gateway", 5174),
  controllerPort: port("LIGHTFLOW_CONTROLLER_PORT", "port of the controller", 5175),
  logLevel: {
    env: "LIGHTFLOW_LOG_LEVEL",
    about: "how much is told on stderr",
    default: "warn",
    choices: LOG_LEVELS,
  },
  root: { env: "LIGHTFLOW_ROOT", about: "directory of the project", default: undefined },
  ctx: {
    env: "LIGHTFLOW_CTX_MOUNT",
    about: "where `lightflow up` puts CortexFS, and where it is looked for",
    default: undefined,
  },
  historyDays: {
    env: "LIGHTFLOW_HISTORY_DAYS",
    about: "days after which the history of a run that has ended becomes an artifact; 0 is never",
    default: 30,
    range: [0, 36_500],
  },
  "runner.slots": {
    env: "LIGHTFLOW_RUNNER_SLOTS",
    about: "tasks that the local runner executes at once; 0 is one for each processor",
    default: 0,
    range: [0, 1024],
  },
  "runner.sandbox": {
    env: "LIGHTFLOW_RUNNER_SANDBOX",
    about: "boundary of the local runner",
    default: "auto",
    choices: SANDBOX_CHOICES,
  },
  "runner.browser": {
    env: "LIGHTFLOW_RUNNER_BROWSER",
    about: "absolute path of the Chromium that the local runner tries, and gives to tasks with a browser",
    default: undefined,
  },
} as const satisfies Record<string, SettingRow>;

/** Where the settings of this user are looked for. */
export function configPath(paths: Paths): string {
  return join(paths.config, "config.yaml");
}

export interface ResolvedSettings {
  readonly settings: Settings;
  readonly sources: Readonly<Record<string, SettingSource>>;
}

/** Flags over environment over file over defaults. */
export function resolveSettings(
  flags: SettingValues,
  env: Environment,
  file: SettingValues,
): ResolvedSettings {
  const values: Record<string, string | number | undefined> = {};
  const sources: Record<string, SettingSource> = {};
  for (const [name, row] of Object.entries(SETTINGS) as [string, SettingRow][]) {
    const text = env[row.env];
    if (flags[name] !== undefined) [values[name], sources[name]] = [flags[name], "flag"];
    else if (text !== undefined && text !== "")
      [values[name], sources[name]] = [fromText(row, text), "environment"];
    else if (file[name] !== undefined) [values[name], sources[name]] = [file[name], "config.yaml"];
    else [values[name], sources[name]] = [row.default, "default"];
  }
  const settings: Settings = {
    host: values["host"] as string,
    port: values["port"] as number,
    controllerPort: values["controllerPort"] as number,
    logLevel: values["logLevel"] as LogLevel,
    root: values["root"] as string | undefined,
    ctx: values["ctx"] as string | undefined,
    historyDays: values["historyDays"] as number,
    runner: {
      slots: values["runner.slots"] as number,
      sandbox: values["runner.sandbox"] as SandboxChoice,
      browser: values["runner.browser"] as string | undefined,
    },
  };
  return { settings, sources };
}

function fromText(row: SettingRow, text: string): string | number {
  if (row.range !== undefined) {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= row.range[0] && value <= row.range[1])) {
      throw fail("usage", `${row.env} must be an integer from ${row.range[0]} to ${row.range[1]}: ${text}`);
    }
    return value;
  }
  if (row.choices !== undefined && !row.choices.includes(text)) {
    throw fail("usage", `${row.env} must be ${row.choices.join("|")}: ${text}`);
  }
  return text;
}
