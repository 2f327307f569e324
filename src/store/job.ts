import type { Topic, Transaction } from "./operation.ts";

/** An operation that joins a batch, and who hears how it went. */
export interface Joined {
  readonly run: (tx: Transaction) => unknown;
  /** What the answer will need and nobody may see yet: done while the disk is busy with the commit. It does not throw. */
  readonly prepare?: (value: never) => void;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

/** What a batch has changed so far, by topic. */
export type Changed = ReadonlyMap<Topic, ReadonlySet<string>>;

/** What stands in the queue of the writer. */
export interface Job {
  readonly run: (tx: Transaction) => unknown;
  readonly prepare?: (value: unknown) => void;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** How the caller of an operation that has run hears of it, once the commit is on disk. */
export interface Settling {
  readonly finish: () => void;
  readonly prepare?: () => void;
}

export const done = (job: Job, value: unknown): Settling => ({
  finish: () => job.resolve(value),
  ...(job.prepare === undefined ? {} : { prepare: () => job.prepare!(value) }),
});
