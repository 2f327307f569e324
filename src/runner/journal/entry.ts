import type { Lease, TaskResult } from "../../protocol/index.ts";

/**
 * INTENT_RECORDED: known, nothing has run. EXECUTING: the command may have run. CLEANUP_REQUIRED: it ended, and how
 * is known. TERMINAL_PENDING: the result stands and has to be delivered. TERMINAL_REPORTED: delivered, the sandbox
 * may still be there. CLEANUP_CONFIRMED: nothing is left.
 */
export type JournalState =
  | "INTENT_RECORDED"
  | "EXECUTING"
  | "CLEANUP_REQUIRED"
  | "TERMINAL_PENDING"
  | "TERMINAL_REPORTED"
  | "CLEANUP_CONFIRMED";

/** Why a command ended other than by itself. */
export type StopReason =
  | "cancelled"
  | "timed_out"
  | "lease_lost"
  | "output_too_large"
  | "disk_full"
  | "runner_stopped";

export interface ExitRecord {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stop: StopReason | null;
  /** Why nobody knows how the command ended: it ran on a host that stopped answering. */
  readonly unknown?: string;
  readonly completedAt: string;
  readonly durationMs: number;
}

/** A lease without its payload and its secrets: what is needed to report on it after a restart. */
export type LeaseContext = Omit<Lease, "task" | "nonce" | "signature" | "mounts"> & {
  readonly secretNames: string[];
  /** Of what the task was given, where its provenance is to be signed. */
  readonly parametersDigest?: string;
  readonly provider: TaskResult["sandbox"]["provider"];
  readonly boundary: string;
};

export interface JournalEntry {
  readonly leaseId: string;
  readonly attempt: number;
  readonly fencingToken: number;
  readonly state: JournalState;
  readonly context: LeaseContext | null;
  readonly startedAt: string | null;
  readonly exit: ExitRecord | null;
  readonly result: TaskResult | null;
}
