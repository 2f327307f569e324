import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { readPrivateFile } from "../base/private-file.ts";
import {
  type RunnerConfig,
  type RunningRunner,
  readTls,
  startRunner,
  type TlsFiles,
} from "../runner/index.ts";

/**
 * The runner role of a machine whose controller is elsewhere.
 * @throws Failure when the token file is not a regular file that only its owner may read
 */
export function startRemoteRunner(options: {
  controllerUrl: string;
  /** Null for a runner that has come before: its key is its credential. */
  tokenFile: string | null;
  tls?: TlsFiles;
  config: typeof RunnerConfig.static;
  log: Log;
}): RunningRunner {
  return startRunner({
    controllerUrl: options.controllerUrl,
    enrolmentToken: options.tokenFile === null ? null : readPrivateFile(options.tokenFile).trim(),
    config: options.config,
    tls: readTls(options.tls ?? {}),
    clock: systemClock,
    log: options.log,
  });
}
