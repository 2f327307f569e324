import { join } from "node:path";
import { type Artifacts, openArtifacts } from "../artifacts/index.ts";
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { VERSION } from "../base/version.ts";
import type { Paths } from "../base/xdg.ts";
import { Spool } from "../controller/index.ts";
import { localPrincipal, type Orchestration, type ServiceContext } from "../service/index.ts";
import { Store } from "../store/index.ts";

export const DEFAULT_TENANT = "default";

/** What every process of a host opens: the store, the bytes, the spooled logs. */
export interface Parts {
  readonly store: Store;
  readonly artifacts: Artifacts;
  readonly spool: Spool;
  readonly log: Log;
  readonly paths: Paths;
  close(): Promise<void>;
}

export const storePath = (paths: Paths): string => join(paths.state, "lightflow.db");
export const hostLockPath = (paths: Paths): string => join(paths.state, "host.lock");

export function openParts(paths: Paths, log: Log): Parts {
  const store = Store.open(storePath(paths));
  const artifacts = openArtifacts(join(paths.state, "artifacts"));
  store.readArchivesFrom(artifacts);
  const spool = new Spool(join(paths.state, "spool"));
  return {
    store,
    artifacts,
    spool,
    log,
    paths,
    async close() {
      spool.close();
      await store.close();
    },
  };
}

export function serviceContext(
  parts: Parts,
  options: {
    root: string;
    trustsPaths: boolean;
    orchestration: Orchestration | null;
    onStarted?: (runId: string) => void;
  },
): ServiceContext {
  return {
    views: parts.store,
    records: parts.store,
    artifacts: parts.artifacts,
    logs: parts.spool,
    clock: systemClock,
    tenantId: DEFAULT_TENANT,
    principal: localPrincipal(DEFAULT_TENANT),
    root: options.root,
    trustsPaths: options.trustsPaths,
    version: VERSION,
    stateDirectory: parts.paths.state,
    orchestration: options.orchestration,
    ...(options.onStarted === undefined ? {} : { onStarted: options.onStarted }),
  };
}
