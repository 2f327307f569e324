import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { fail } from "../../base/errors.ts";
import type { RunnerFile, TlsFiles } from "../../host/runner-tools.ts";
import type { Io } from "../io.ts";
import { readRunnerFile } from "./file.ts";
import { type RunnerFlags, runnerConfig } from "./flags.ts";

export const CONFIG_FLAG = {
  type: "string",
  value: "FILE",
  about: "runner.yaml; it says everything, so that no other flag stands beside it",
} as const;

/** What a runner is started with, whether a file or flags said it. Paths are absolute. */
export interface RunnerSetup {
  readonly controllerUrl: string | null;
  readonly credentialFile: string | null;
  readonly tls: TlsFiles;
  readonly config: ReturnType<typeof runnerConfig>;
}

/** The setup that a `runner.yaml` gives, with what it leaves out filled in. */
export function setupOfFile(file: RunnerFile, io: Io): RunnerSetup {
  const { version: _, controllerUrl, credentialFile, tls = {}, ...config } = file;
  if ((tls.certificate === undefined) !== (tls.key === undefined)) {
    throw fail("schema_violation", "tls: certificate and key go together", { hint: "give both" });
  }
  const { runner } = io.settings();
  return {
    controllerUrl: controllerUrl?.replace(/\/+$/, "") ?? null,
    credentialFile: credentialFile ?? null,
    tls,
    config: {
      ...config,
      tenantId: config.tenantId ?? "default",
      hostId: config.hostId ?? hostname(),
      runnerPools: config.runnerPools ?? ["default"],
      executionProfiles: config.executionProfiles ?? ["default"],
      dataDirectory: config.dataDirectory ?? join(io.paths.state, `runner-${config.runnerId}`),
      slots: config.slots ?? (runner.slots === 0 ? navigator.hardwareConcurrency : runner.slots),
      sandbox: config.sandbox ?? runner.sandbox,
    },
  };
}

export interface SetupFlags extends Omit<RunnerFlags, "id"> {
  readonly config: string | undefined;
  readonly id: string | undefined;
  readonly controller?: string | undefined;
  readonly "token-file"?: string | undefined;
  readonly "tls-ca"?: string | undefined;
  readonly "tls-cert"?: string | undefined;
  readonly "tls-key"?: string | undefined;
}

/** @throws Failure `usage` when flags and file are mixed, or neither says which runner this is */
export function runnerSetup(flags: SetupFlags, io: Io): RunnerSetup {
  if (flags.config !== undefined) {
    const other = Object.entries(flags).find(
      ([name, value]) =>
        name !== "config" && value !== undefined && !(Array.isArray(value) && value.length === 0),
    );
    if (other !== undefined) {
      throw fail("usage", `--${other[0]} does not go with --config`, { hint: "write it into the file" });
    }
    return setupOfFile(readRunnerFile(resolve(io.cwd, flags.config)), io);
  }
  const { id, controller } = flags;
  if (id === undefined) throw fail("usage", "missing --id", { hint: "or give --config runner.yaml" });
  if (controller !== undefined && !URL.canParse(controller))
    throw fail("usage", `--controller is not a URL: ${controller}`);
  if ((flags["tls-cert"] === undefined) !== (flags["tls-key"] === undefined)) {
    throw fail("usage", "--tls-cert and --tls-key go together", { hint: "give both" });
  }
  const absolute = (path: string | undefined) => (path === undefined ? undefined : resolve(io.cwd, path));
  return {
    controllerUrl: controller?.replace(/\/+$/, "") ?? null,
    credentialFile: absolute(flags["token-file"]) ?? null,
    tls: {
      ca: absolute(flags["tls-ca"]),
      certificate: absolute(flags["tls-cert"]),
      key: absolute(flags["tls-key"]),
    },
    config: runnerConfig({ ...flags, id }, io),
  };
}
