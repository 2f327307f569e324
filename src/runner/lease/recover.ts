import { type Failure, fail, toFailure } from "../../base/errors.ts";
import type { TaskResult } from "../../protocol/index.ts";
import { createRedaction } from "../../redaction/index.ts";
import type { AgentRemains } from "../agent/agent.ts";
import type { Workspace } from "../files/workspaces.ts";
import type { JournalEntry, LeaseContext } from "../journal/entry.ts";
import { shipLog } from "../logs/shipper.ts";
import { Spool } from "../logs/spool.ts";
import type { SandboxProvider } from "../sandboxes/index.ts";
import { secretValues } from "../secrets.ts";
import { finishLease } from "./finish.ts";
import { badOutput, notStarted, UNKNOWN } from "./outcome.ts";
import { type LeasePlaces, leasePlaces, makePlaces } from "./places.ts";
import type { Reporter } from "./reporter.ts";
import type { LeaseServices } from "./services.ts";
import { cleanLease, settleLease } from "./settle.ts";
import { reopenCopy, type TaskCopy } from "./task-copy.ts";

/** Build the result of a lease that an earlier process of this runner left without one. Its command never runs again. */
async function rebuild(
  services: LeaseServices,
  entry: JournalEntry,
  context: LeaseContext,
  reporter: Reporter,
  copy: TaskCopy | null,
  unreadable: Failure | null,
): Promise<TaskResult> {
  const { config, clock, log, workspaces, signal } = services;
  const places = leasePlaces(config.dataDirectory, entry.leaseId);
  makePlaces(places);
  const spools = { stdout: new Spool(places.logs, "stdout"), stderr: new Spool(places.logs, "stderr") };
  const lost = AbortSignal.any([signal, AbortSignal.timeout(60_000)]);
  try {
    spools.stdout.end();
    spools.stderr.end();
    const ran = entry.state !== "INTENT_RECORDED";
    const send = (spool: Spool) =>
      shipLog(spool, (which, seq, bytes, final) => reporter.log(which, seq, bytes, final, lost), lost);
    const shipping = ran
      ? Promise.all([send(spools.stdout), send(spools.stderr)]).then(() => {})
      : Promise.resolve();
    // Its failure is reported by `finishLease`, which may look at it only later.
    shipping.catch(() => {});
    const interrupted = notStarted(
      fail("execution_start_failed", "the runner was interrupted before the start"),
    );
    const secrets = await secretValues(context.secretNames, { ...config, broker: services.broker });
    // What cannot be masked is not handed over.
    const hidden = secrets !== null ? unreadable : unmaskable(context.secretNames);
    const end = entry.exit === null || hidden === null ? null : badOutput(hidden);
    const outcome = end ?? (entry.exit !== null ? null : ran ? UNKNOWN : interrupted);
    const workspace = copy?.workspace ?? workspaces.locate(context.workspace.key);
    return await finishLease({
      context,
      places,
      workspace,
      spools,
      shipping,
      exit: entry.exit,
      outcome,
      startedAt: entry.startedAt,
      redaction: createRedaction([...(secrets ?? []), ...services.ownSecrets()]),
      reporter,
      signal: lost,
      key: services.key,
      agent: ran && secrets !== null ? await agentOf(context, workspace, places, entry.exit !== null) : null,
      copy,
      config,
      clock,
      log,
    });
  } finally {
    spools.stdout.close();
    spools.stderr.close();
  }
}

/** Loaded only for those that had one. */
async function agentOf(
  { agent }: LeaseContext,
  workspace: Workspace,
  places: LeasePlaces,
  hasEnded: boolean,
): Promise<AgentRemains | null> {
  if (agent === undefined) return null;
  const { recoverAgent } = await import("../agent/agent.ts");
  return recoverAgent(agent, workspace, places, hasEnded);
}

const unmaskable = (names: readonly string[]) =>
  fail(
    "secret_denied",
    `the task ended while the runner was down; its output stays back, as a secret to mask in it cannot be resolved any more (${names.join(", ")})`,
  );

/**
 * Take one unfinished journal entry to its end: a stored result is sent exactly as it stands; a command whose end is
 * known is reported; one whose end is not known is reported as unknown; one that never ran, as safe to repeat.
 * @param held gives back the session that the lease works on, or on a copy of, which is held since the start
 */
export async function recoverLease(
  services: LeaseServices,
  entry: JournalEntry,
  reporter: Reporter,
  /** What may still hold its sandbox: after a restart nothing does. */
  provider: SandboxProvider | null,
  held: Promise<() => void> | undefined,
): Promise<void> {
  const { journal, log } = services;
  const { context } = entry;
  if (context === null) {
    await journal.confirmed(entry.leaseId);
    return;
  }
  if (entry.state === "TERMINAL_REPORTED") {
    try {
      await cleanLease(services, context, entry.result, provider);
      await journal.confirmed(entry.leaseId);
    } catch (error) {
      log.error("a lease could not be cleaned up", {
        lease: entry.leaseId,
        reason: toFailure(error).message,
      });
    }
    return;
  }
  let result = entry.result;
  const release = await held;
  let copy: TaskCopy | null = null;
  let unreadable: Failure | null = null;
  try {
    try {
      const places = leasePlaces(services.config.dataDirectory, entry.leaseId);
      copy = await reopenCopy(services, context, places, release);
    } catch (error) {
      unreadable = toFailure(error);
    }
    if (result === null) {
      result = await rebuild(services, entry, context, reporter, copy, unreadable);
      await journal.terminal(entry.leaseId, result);
    }
    log.info("recovered a lease", { lease: entry.leaseId, from: entry.state, status: result.status });
    // Only what is still to be taken over needs its session while the result is on its way.
    if (copy === null) release?.();
    await settleLease(services, context, result, reporter, provider, copy);
  } finally {
    release?.();
    await copy?.close();
  }
}
