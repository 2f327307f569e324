import { browserErrorOf } from "../../base/browser.ts";
import type { Clock } from "../../base/clock.ts";
import { isoTime } from "../../base/clock.ts";
import type { ErrorCode, Failure } from "../../base/errors.ts";
import { OUTCOME_UNKNOWN_EXIT } from "../../base/exit-codes.ts";
import { newId } from "../../base/ids.ts";
import type { Json } from "../../base/json.ts";
import type { ArtifactReference, TaskResult } from "../../protocol/index.ts";
import type { ExitRecord, LeaseContext, StopReason } from "../journal/entry.ts";

export interface Outcome {
  readonly status: TaskResult["status"];
  readonly errorCode: ErrorCode | null;
  readonly summary: string;
  readonly retrySafety: TaskResult["retrySafety"];
}

const STOPPED: Record<StopReason, Outcome> = {
  cancelled: {
    status: "cancelled",
    errorCode: "execution_cancelled",
    summary: "the task was cancelled",
    retrySafety: "inspect-required",
  },
  timed_out: {
    status: "timed_out",
    errorCode: "execution_timeout",
    summary: "the task ran past its deadline and was stopped",
    retrySafety: "inspect-required",
  },
  lease_lost: {
    status: "unknown",
    errorCode: "runner_lease_expired",
    summary: "the lease ran out while the task was running; the task was stopped",
    retrySafety: "inspect-required",
  },
  output_too_large: {
    status: "failed",
    errorCode: "execution_output_too_large",
    summary: "the task wrote more log output than it may and was stopped",
    retrySafety: "inspect-required",
  },
  disk_full: {
    status: "failed",
    errorCode: "execution_output_too_large",
    summary: "the disk of the runner ran full, and the task that took up most of it was stopped",
    retrySafety: "inspect-required",
  },
  runner_stopped: {
    status: "cancelled",
    errorCode: "execution_cancelled",
    summary: "the runner was shut down and stopped the task",
    retrySafety: "inspect-required",
  },
};

/** What the end of a command means; an own child can say by its exit code what kind of end it was. */
export function outcomeOf(
  exit: ExitRecord,
  lastStderr: string,
  { action, browser }: Pick<LeaseContext, "action" | "browser"> = {},
): Outcome {
  if (exit.stop !== null) return STOPPED[exit.stop];
  if (exit.unknown !== undefined) return { ...UNKNOWN, summary: exit.unknown };
  if (action !== undefined && exit.exitCode === OUTCOME_UNKNOWN_EXIT)
    return { ...UNKNOWN, summary: lastStderr };
  if (exit.exitCode === 0) {
    return { status: "succeeded", errorCode: null, summary: "exit code 0", retrySafety: "safe" };
  }
  const how = exit.signal === null ? `exit code ${exit.exitCode}` : `ended by ${exit.signal}`;
  return {
    status: "failed",
    // Of any other program these exit codes say nothing.
    errorCode: (browser === undefined ? null : browserErrorOf(exit.exitCode)) ?? "command_failed",
    summary: lastStderr === "" ? how : `${how}: ${lastStderr}`,
    retrySafety: "inspect-required",
  };
}

export const UNKNOWN: Outcome = {
  status: "unknown",
  errorCode: "execution_outcome_unknown",
  summary: "the runner was interrupted while the task was running; what it did is not known",
  retrySafety: "inspect-required",
};

/** Nothing of the task has run; unless the sandbox itself says that nobody can know. */
export function notStarted(failure: Failure): Outcome {
  const summary = toldWithHint(failure);
  if (failure.code === UNKNOWN.errorCode) return { ...UNKNOWN, summary };
  const isOurs = failure.code === "internal" || failure.code === "io";
  const errorCode = isOurs ? "execution_start_failed" : failure.code;
  return { status: "failed", errorCode, summary, retrySafety: "safe" };
}

/** The command ended well, but what it should hand over is not right. */
export const badOutput = (failure: Failure): Outcome => ({
  status: "failed",
  errorCode: failure.code,
  summary: toldWithHint(failure),
  retrySafety: "inspect-required",
});

const toldWithHint = ({ message, hint }: Failure): string =>
  hint === undefined ? message : `${message} (${hint})`;

export interface Collected {
  readonly output: Json;
  readonly artifacts: readonly ArtifactReference[];
  /** Paths that an agent changed, as the runner found out itself. */
  readonly changedFiles: readonly string[];
  readonly stdoutRef: string | null;
  readonly stderrRef: string | null;
}

export const NOTHING: Collected = {
  output: null,
  artifacts: [],
  changedFiles: [],
  stdoutRef: null,
  stderrRef: null,
};

const SUMMARY_CHARACTERS = 4096;

export function resultOf(
  context: LeaseContext,
  outcome: Outcome,
  exit: ExitRecord | null,
  startedAt: string | null,
  collected: Collected,
  clock: Clock,
): TaskResult {
  const completedAt = exit?.completedAt ?? isoTime(clock.wall());
  return {
    messageId: newId(),
    attempt: context.attempt,
    fencingToken: context.fencingToken,
    taskId: context.taskId,
    taskReference: context.taskReference,
    runnerId: context.runnerId,
    policyDigest: context.policyDigest,
    ...(context.commandTemplateId === undefined ? {} : { commandTemplateId: context.commandTemplateId }),
    ...(context.approvalRefs === undefined ? {} : { approvalRefs: context.approvalRefs }),
    status: outcome.status,
    ...(outcome.errorCode === null ? {} : { errorCode: outcome.errorCode }),
    exitCode: exit?.exitCode ?? null,
    signal: exit?.signal ?? null,
    startedAt: startedAt ?? completedAt,
    completedAt,
    durationMs: exit?.durationMs ?? 0,
    summary: outcome.summary.slice(0, SUMMARY_CHARACTERS).toWellFormed(),
    stdoutRef: collected.stdoutRef,
    stderrRef: collected.stderrRef,
    artifactRefs: [...collected.artifacts],
    output: collected.output,
    changedFiles: [...collected.changedFiles],
    // Log output of a failed command may hold tenant data: only policy on the server's side can allow this.
    aiDiagnosisAllowed: false,
    retrySafety: outcome.retrySafety,
    sandbox: { provider: context.provider, boundary: context.boundary, mode: context.sandbox.mode },
  };
}
