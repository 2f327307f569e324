import type { LogLevel } from "../src/base/log.ts";
import type { Environment } from "../src/base/xdg.ts";
import type { FailureData, HostEvent, HostMessage } from "./exchange/host.ts";

export interface WorkerStart {
  readonly type: "start";
  readonly fuseDescriptor: number;
  readonly eventDescriptor: number;
  readonly database: string;
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly fixedTtlMs: number;
  readonly logLevel: LogLevel;
  readonly env: Environment;
}

export type ToWorker = WorkerStart | { readonly type: "event"; readonly event: HostEvent };

export type FromWorker =
  | { readonly type: "ready" }
  | { readonly type: "ended" }
  | { readonly type: "failed"; readonly failure: FailureData }
  | { readonly type: "log"; readonly line: string }
  | { readonly type: "host"; readonly message: HostMessage };
