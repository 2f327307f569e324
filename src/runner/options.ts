import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { RunnerConfig } from "./config.ts";
import type { AtPoint } from "./points.ts";
import type { SandboxCapability } from "./sandboxes/index.ts";
import type { SecretBroker } from "./secrets.ts";
import type { Fetch } from "./wire/client.ts";
import type { ClientTls } from "./wire/tls.ts";

export interface RunnerOptions {
  readonly controllerUrl: string;
  /** Lets it in the first time; afterwards its own key does. */
  readonly enrolmentToken: string | null;
  readonly config: RunnerConfig;
  /** Its controller is in this very process: a newer executable on disk is then no drift of the runner's. */
  readonly embedded?: boolean;
  /** Secrets that its configuration does not name, handed over inside this process. */
  readonly broker?: SecretBroker;
  /** Certificates of the connection; not together with `fetch`. */
  readonly tls?: ClientTls;
  /** How messages leave; given by whoever has the controller in its own process. */
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly random?: () => number;
  readonly version?: string;
  /** How often what could not be removed is tried again, in milliseconds; a minute. */
  readonly sweepMs?: number;
  /** Called at the named moments of each lease. */
  readonly atPoint?: AtPoint;
}

export interface RunningRunner {
  /** Resolves once the controller has admitted this runner; rejects as `closed` does. */
  readonly ready: Promise<void>;
  /** What this host proved it can do; resolves before the first registration. */
  readonly sandboxes: Promise<readonly SandboxCapability[]>;
  /** Resolves after `stop`; rejects with the Failure that ended the runner. */
  readonly closed: Promise<void>;
  /** Tasks in hand. */
  readonly active: number;
  /** End. With `drain`, running tasks may end first, for as long as the configuration allows. */
  stop(options?: { readonly drain?: boolean }): Promise<void>;
}
