import { systemClock } from "../base/clock.ts";
import { readPem } from "../base/listen.ts";
import type { Log } from "../base/log.ts";
import { readPrivateFile } from "../base/private-file.ts";
import { type RunnerConfig, type RunningRunner, startRunner } from "../runner/index.ts";

/**
 * The runner role of a machine whose controller is elsewhere.
 * @throws Failure when the token file is not a regular file that only its owner may read
 */
export function startRemoteRunner(options: {
  controllerUrl: string;
  /** Null for a runner that has come before: its key is its credential. */
  tokenFile: string | null;
  /** PEM files: the authority of the controller's certificate, and the certificate that this runner shows. */
  tls?: { ca?: string | undefined; certificate?: string | undefined; key?: string | undefined };
  config: typeof RunnerConfig.static;
  log: Log;
}): RunningRunner {
  const { ca, certificate, key } = options.tls ?? {};
  const tls = {
    ...(ca === undefined ? {} : { ca: readPem(ca) }),
    ...(certificate === undefined ? {} : { cert: readPem(certificate) }),
    ...(key === undefined ? {} : { key: readPrivateFile(key) }),
  };
  return startRunner({
    controllerUrl: options.controllerUrl,
    enrolmentToken: options.tokenFile === null ? null : readPrivateFile(options.tokenFile).trim(),
    config: options.config,
    ...(Object.keys(tls).length === 0
      ? {}
      : { fetch: (url: string, init: RequestInit) => fetch(url, { ...init, tls } as RequestInit) }),
    clock: systemClock,
    log: options.log,
  });
}
