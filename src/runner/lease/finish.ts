import { closeSync } from "node:fs";
import { join } from "node:path";
import { BROWSER_EXITS } from "../../base/browser.ts";
import { type Clock, isoTime } from "../../base/clock.ts";
import { type ErrorCode, fail, toFailure } from "../../base/errors.ts";
import { LIMITS } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { AgentUse, ArtifactReference, SigningKey, TaskResult } from "../../protocol/index.ts";
import type { Redaction } from "../../redaction/index.ts";
import type { AgentRemains } from "../agent/agent.ts";
import type { EffectiveConfig } from "../config.ts";
import { readEgress } from "../egress/record.ts";
import { changedFiles } from "../files/changes.ts";
import { collectArtifacts, storeOpened } from "../files/collect.ts";
import { readOutput } from "../files/output.ts";
import { openBelow } from "../files/walk.ts";
import { viewOf, type Workspace } from "../files/workspaces.ts";
import type { ExitRecord, LeaseContext } from "../journal/entry.ts";
import { lastLine } from "../logs/capture.ts";
import { compressLog } from "../logs/compress.ts";
import type { Spool } from "../logs/spool.ts";
import { badOutput, type Collected, NOTHING, type Outcome, outcomeOf, resultOf } from "./outcome.ts";
import type { LeasePlaces } from "./places.ts";
import type { Reporter } from "./reporter.ts";
import type { TaskCopy } from "./task-copy.ts";

export interface FinishInput {
  readonly context: LeaseContext;
  readonly places: LeasePlaces;
  readonly workspace: Workspace;
  readonly spools: { readonly stdout: Spool; readonly stderr: Spool };
  /** Ends when both logs are delivered; its failure never fails the task. */
  readonly shipping: Promise<void>;
  readonly exit: ExitRecord | null;
  /** Given when the command's end is not what decides. */
  readonly outcome: Outcome | null;
  readonly startedAt: string | null;
  readonly redaction: Redaction;
  readonly reporter: Reporter;
  /** Aborts when the lease is lost. */
  readonly signal: AbortSignal;
  readonly key: SigningKey;
  /** Of an agent's call. */
  readonly agent: AgentRemains | null;
  /** Of what the workspace is a copy. */
  readonly copy: TaskCopy | null;
  readonly config: Pick<EffectiveConfig, "dataDirectory" | "minimumFreeBytes">;
  readonly clock: Clock;
  readonly log: Log;
}

const STOPPED: ReadonlySet<string> = new Set([
  "execution_cancelled",
  "execution_timeout",
  "runner_lease_expired",
] satisfies ErrorCode[]);

/** The lease itself is refused: nothing more can be delivered under it. */
const ENDED: ReadonlySet<ErrorCode> = new Set([
  "runner_lease_expired",
  "lease_revoked",
  "stale_fence",
  "lease_not_found",
  "lease_state_conflict",
  "unavailable",
]);

async function storeLog(spool: Spool, places: LeasePlaces, input: FinishInput): Promise<string | null> {
  if (spool.size === 0) return null;
  const plain = `${spool.stream}.log`;
  // A short log may be the output of its step, which is read at once.
  const compressed = spool.size > LIMITS.inlineValueBytes;
  const name = compressed ? `${plain}.zst` : plain;
  if (compressed) await compressLog(join(places.logs, plain), join(places.logs, name), spool.size);
  const opened = openBelow(places.logs, name);
  if (opened === null) return null;
  try {
    const sha256 = await storeOpened(opened.descriptor, opened.stat.size, (source) =>
      input.reporter.artifact(source, input.signal),
    );
    return `artifact://sha256/${sha256}${compressed ? "?encoding=zstd" : ""}`;
  } finally {
    closeSync(opened.descriptor);
  }
}

async function storeArtifacts(input: FinishInput, tolerant: boolean): Promise<ArtifactReference[]> {
  const { context, redaction, reporter, signal } = input;
  try {
    return await collectArtifacts(
      viewOf(input.workspace),
      context.artifacts,
      context.limits,
      (name) => redaction.text(name),
      (source) => reporter.artifact(source, signal),
    );
  } catch (error) {
    if (tolerant) return [];
    throw error;
  }
}

async function provenanceOf(
  input: FinishInput,
  artifacts: readonly ArtifactReference[],
): Promise<ArtifactReference[]> {
  const { context, clock, key, reporter, signal } = input;
  if (context.provenance === undefined || artifacts.length === 0) return [];
  const finishedAt = input.exit?.completedAt ?? isoTime(clock.wall());
  const { signProvenance } = await import("./provenance.ts");
  const times = { startedAt: input.startedAt ?? finishedAt, finishedAt };
  return [await signProvenance(context, artifacts, times, key, reporter, signal)];
}

/** Names may hold a secret like any text. What never ran changed nothing. */
function changesOf({ exit, workspace, places, redaction, log, context }: FinishInput): string[] {
  if (exit === null) return [];
  try {
    const names = changedFiles(viewOf(workspace), places.root);
    if (names.length === 0) return [];
    // All at once: a search for secrets costs more to begin than to go on. No name, and no secret, holds a NUL.
    const masked = redaction.text(names.join("\0")).split("\0");
    return masked.map((path) => path.slice(0, 4096));
  } catch (error) {
    log.warn("the changed files could not be listed", {
      lease: context.leaseId,
      reason: toFailure(error).message,
    });
    return [];
  }
}

/** What becomes of the task's files: decided here, done once the result stands in the journal. */
function workspaceOf(
  { context, copy, clock, exit }: FinishInput,
  end: Outcome,
): Pick<TaskResult, "workspace"> {
  const { freeze, workspace } = context;
  const commits = copy !== null && workspace.commitTo !== undefined && end.status === "succeeded";
  const freezes =
    freeze !== undefined &&
    (exit !== null || end.status === "unknown") &&
    (freeze.when === "always" || end.status !== "succeeded") &&
    // What it wrote may hold what it was given.
    context.secretNames.length === 0;
  if (copy === null && !freezes) return {};
  return {
    workspace: {
      ...(copy === null ? {} : { copied: copy.method }),
      ...(commits ? { committed: true } : {}),
      ...(freezes ? { frozenUntil: isoTime(clock.wall() + freeze.forMs) } : {}),
    },
  };
}

/**
 * Everything between the end of a command and its result: output, artifacts, whole logs. What goes wrong here
 * becomes the result's error; only a lost lease is left to the sender to find out.
 */
export async function finishLease(input: FinishInput): Promise<TaskResult> {
  const { context, places, spools, redaction } = input;
  let outcome: Outcome = input.outcome ?? outcomeOf(input.exit!, lastLine(spools.stderr), context);
  let collected: Collected = NOTHING;
  let agentUse: AgentUse | null = null;
  try {
    const agent = await input.agent?.finish(input.reporter, redaction, input.signal);
    if (agent !== undefined) {
      collected = { ...collected, artifacts: agent.artifacts, changedFiles: agent.changedFiles };
      // Its broker knows better than the worker why it ended.
      agentUse = agent.use;
      if (agent.failure !== null && !STOPPED.has(outcome.errorCode ?? "")) {
        const { code, message } = agent.failure;
        outcome = { status: "failed", errorCode: code, summary: message, retrySafety: "inspect-required" };
      }
    }
    if (outcome.status === "succeeded") {
      input.copy?.check();
      const output = redaction.json(
        readOutput(join(input.workspace.root, "output"), `${context.leaseId}.json`, context),
      );
      const artifacts = await storeArtifacts(input, false);
      collected = {
        ...collected,
        output,
        artifacts: [...collected.artifacts, ...artifacts, ...(await provenanceOf(input, artifacts))],
      };
    } else if (outcome.errorCode === "command_failed" || (outcome.errorCode ?? "") in BROWSER_EXITS) {
      // A failed check's report is what one wants to read; but its absence is no second failure.
      collected = {
        ...collected,
        artifacts: [...collected.artifacts, ...(await storeArtifacts(input, true))],
      };
    }
  } catch (error) {
    const failure = toFailure(error);
    // What nobody knows stays unknown, whatever else goes wrong.
    if (!ENDED.has(failure.code) && outcome.status !== "unknown") {
      outcome = badOutput(failure);
      collected = NOTHING;
    }
  }
  try {
    const [stdoutRef, stderrRef] = await Promise.all([
      storeLog(spools.stdout, places, input),
      storeLog(spools.stderr, places, input),
    ]);
    collected = { ...collected, stdoutRef, stderrRef };
  } catch (error) {
    input.log.warn("the whole log could not be stored", {
      lease: context.leaseId,
      reason: toFailure(error).message,
    });
  }
  await input.shipping.catch((error) =>
    input.log.warn("log delivery ended early", { lease: context.leaseId, reason: toFailure(error).message }),
  );
  const egress = readEgress(places.root);
  const changed = input.agent === null ? changesOf(input) : [];
  const make = (end: Outcome, what: Collected) => ({
    ...resultOf(
      context,
      { ...end, summary: redaction.text(end.summary) },
      input.exit,
      input.startedAt,
      what,
      input.clock,
    ),
    // Those of an agent were found by comparing whole trees; it has no session of its own.
    ...(input.agent === null ? { changedFiles: changed } : {}),
    ...(egress.length === 0 ? {} : { egress }),
    ...(agentUse === null ? {} : { agentUse }),
    ...workspaceOf(input, end),
  });
  const result = make(outcome, collected);
  if (Buffer.byteLength(JSON.stringify(result)) <= LIMITS.protocolBodyBytes) return heldStill(input, result);
  const failure = fail("execution_output_too_large", "the output is larger than one result message may be");
  return heldStill(input, make(badOutput(failure), { ...collected, output: null, artifacts: [] }));
}

/** The session goes on, so that what is to be frozen of it is copied while its step still has it alone. */
async function heldStill(input: FinishInput, result: TaskResult): Promise<TaskResult> {
  if (result.workspace?.frozenUntil === undefined || input.context.workspace.mode !== "session")
    return result;
  const { snapshotSession } = await import("./freeze-lease.ts");
  try {
    await snapshotSession(input.config, input.workspace, input.places);
    return result;
  } catch (error) {
    input.log.warn("the session could not be frozen", {
      lease: input.context.leaseId,
      reason: toFailure(error).message,
    });
    const { workspace: _workspace, ...rest } = result;
    return rest;
  }
}
