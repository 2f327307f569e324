import type { LeaseState, TaskResult } from "../../protocol/index.ts";
import type { ArtifactSource } from "../files/collect.ts";
import type { Spool } from "../logs/spool.ts";
import type { SandboxCapability } from "../sandboxes/index.ts";

/**
 * Where a lease reports to. The controller's is the wire; `lightflow runner exec` has one that prints. Each method
 * repeats itself until it is answered or `signal` aborts, and throws the Failure of a refusal.
 */
export interface Reporter {
  started(
    startedAt: string,
    sandbox: SandboxCapability["provider"],
    signal: AbortSignal,
  ): Promise<LeaseState>;
  renew(signal: AbortSignal): Promise<LeaseState>;
  /** The sequence number that is wanted next. */
  log(
    spool: Spool,
    seq: number,
    bytes: Uint8Array<ArrayBuffer>,
    final: boolean,
    signal: AbortSignal,
  ): Promise<number>;
  artifact(source: ArtifactSource, signal: AbortSignal): Promise<void>;
  /** Fetch an artifact that the task reads, and compare it with its digest. */
  file(sha256: string, path: string, signal: AbortSignal): Promise<void>;
  reject(reason: string, signal: AbortSignal): Promise<void>;
  result(result: TaskResult, signal: AbortSignal): Promise<void>;
}
