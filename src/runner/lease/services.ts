import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { SigningKey } from "../../protocol/index.ts";
import type { ProvenBrowser } from "../browser/prove.ts";
import type { EffectiveConfig } from "../config.ts";
import type { Workspaces } from "../files/workspaces.ts";
import type { ImageStore } from "../images/store.ts";
import type { Journal } from "../journal/journal.ts";
import type { AtPoint } from "../points.ts";
import type { SecretBroker } from "../secrets.ts";

/** What the runner has done since its start. */
export interface Counts {
  /** Results that stood in the journal, by status. */
  readonly results: Map<string, number>;
  /** Of output, masked. */
  logBytes: number;
}

/** What all leases of one runner share. */
export interface LeaseServices {
  readonly config: EffectiveConfig;
  readonly journal: Journal;
  readonly workspaces: Workspaces;
  readonly images: ImageStore;
  readonly browser: ProvenBrowser | null;
  /** The runner's own: it signs the provenance of what tasks make. */
  readonly key: SigningKey;
  /** Secrets of the runner itself, masked in every task's output. */
  readonly ownSecrets: () => readonly string[];
  /** Where its host has secrets for it beside those of its configuration. */
  readonly broker: SecretBroker | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly at: AtPoint;
  readonly counts: Counts;
  /** Aborts when the runner gives up delivering. */
  readonly signal: AbortSignal;
}
