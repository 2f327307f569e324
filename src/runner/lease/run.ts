import { isoTime } from "../../base/clock.ts";
import { type Failure, fail, toFailure } from "../../base/errors.ts";
import type { Lease, LeaseState } from "../../protocol/index.ts";
import { createRedaction, type Redaction } from "../../redaction/index.ts";
import type { ExitRecord, StopReason } from "../journal/entry.ts";
import { captureLog, createBudget } from "../logs/capture.ts";
import { Spool } from "../logs/spool.ts";
import type { SandboxProvider } from "../sandboxes/index.ts";
import { resolveSecrets, type TaskSecrets } from "../secrets.ts";
import { checkContent } from "./admit.ts";
import { contextOf } from "./context.ts";
import { Fence } from "./fence.ts";
import { finishLease } from "./finish.ts";
import { notStarted, type Outcome, outcomeOf } from "./outcome.ts";
import { type LeasePlaces, leasePlaces, makePlaces } from "./places.ts";
import { type Prepared, prepareTask } from "./prepare.ts";
import { renewLease } from "./renew.ts";
import type { Reporter } from "./reporter.ts";
import type { LeaseServices } from "./services.ts";
import { cleanLease, settleLease } from "./settle.ts";
import { shipLogs } from "./ship-logs.ts";

/** How long output is still read after every process of the task was ended. */
const PIPE_GRACE_MS = 2_000;

/** One lease on its way from the offer to the acknowledged result. */
export class LeaseRun {
  readonly lease: Lease;
  readonly places: LeasePlaces;
  /** For the heartbeat. */
  state = "preparing";
  /** Resolves when the slot is free: the result stands in the journal, or the lease was given back. */
  readonly slot: Promise<void>;
  /** Resolves when nothing of the lease is left to do. */
  readonly done: Promise<void>;
  readonly #services: LeaseServices;
  readonly #provider: SandboxProvider;
  readonly #reporter: Reporter;
  readonly #fence: Fence;
  readonly #lost = new AbortController();
  #stopReason: StopReason | null = null;
  #running = false;
  #killing: Promise<void> | null = null;
  #killTimer: ReturnType<typeof setTimeout> | null = null;
  #reporting = false;

  constructor(services: LeaseServices, lease: Lease, provider: SandboxProvider, reporter: Reporter) {
    this.lease = lease;
    this.places = leasePlaces(services.config.dataDirectory, lease.leaseId);
    this.#services = services;
    this.#provider = provider;
    this.#reporter = reporter;
    this.#fence = new Fence(services.clock, lease.remainingMs, (end) => this.#stop(end));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.slot = promise;
    this.done = this.#run(resolve).finally(() => {
      this.#fence.close();
      this.#lost.abort();
      resolve();
    });
  }

  /** A cancel with an older fence is about an attempt that is no more: it stops nothing. */
  cancel(fencingToken: number): void {
    if (fencingToken < this.lease.fencingToken) return;
    this.#stop(this.#fence.pastDeadline ? "timed_out" : "cancelled");
  }

  /** It takes up most of a disk that has no more. */
  stopForSpace(): void {
    this.#stop("disk_full");
  }

  /** Where it writes. */
  get directories(): string[] {
    return [this.places.root, this.#services.workspaces.locate(this.lease.workspace.key).root];
  }

  /** The runner is going down and does not wait. */
  stop(): void {
    this.#stop("runner_stopped");
  }

  async #run(freeSlot: () => void): Promise<void> {
    const { journal, at, log, clock } = this.#services;
    const { lease } = this;
    at("before_journal_intent", lease.leaseId);
    let secrets: TaskSecrets = { names: [], values: [], environment: lease.task.environment };
    let refused: Failure | null = null;
    try {
      checkContent(lease, this.#services.config);
      const { config, broker } = this.#services;
      secrets = await resolveSecrets(lease.task.environment, { ...config, broker });
    } catch (error) {
      refused = toFailure(error);
    }
    const context = contextOf(lease, this.#provider.capability, secrets.names);
    // The sandbox is made while the intent is written: it stands behind a closed gate, and dies with this process.
    const [intent, made] = await Promise.allSettled([
      journal.intent(lease.leaseId, context),
      refused === null
        ? prepareTask(
            this.#services,
            lease,
            this.#provider,
            this.places,
            secrets,
            this.#reporter,
            this.#lost.signal,
          )
        : null,
    ]);
    if (intent.status === "rejected") {
      await this.#abandon(made.status === "fulfilled" ? made.value : null);
      throw intent.reason;
    }
    at("after_journal_intent", lease.leaseId);
    if (made.status === "rejected") refused = toFailure(made.reason);
    const prepared = made.status === "fulfilled" ? made.value : null;
    at("after_prepare", lease.leaseId);
    const startedAt = isoTime(clock.wall());
    const starting = this.#start(startedAt);
    // While the controller is told.
    const redaction = createRedaction([...secrets.values, ...this.#services.ownSecrets()]);
    if (redaction.tooShort > 0) log.warn("a secret is too short to be masked", { lease: lease.leaseId });
    makePlaces(this.places);
    const spools = {
      stdout: new Spool(this.places.logs, "stdout"),
      stderr: new Spool(this.places.logs, "stderr"),
    };
    if (!(await starting)) {
      spools.stdout.close();
      spools.stderr.close();
      await this.#abandon(prepared);
      return;
    }
    at("after_started", lease.leaseId);
    const renewing = this.#renew();
    let held = prepared !== null;
    const giveBack = () => {
      if (held) this.#services.workspaces.release(lease.workspace.key);
      held = false;
    };
    try {
      const { exit, outcome, shipping } = await this.#execute(
        prepared,
        refused,
        startedAt,
        spools,
        redaction,
      );
      await prepared?.egress?.close();
      await prepared?.agent?.close();
      this.state = "reporting";
      const result = await finishLease({
        context,
        places: this.places,
        workspace: prepared?.workspace ?? this.#services.workspaces.locate(lease.workspace.key),
        spools,
        shipping,
        exit,
        outcome,
        startedAt,
        redaction,
        reporter: this.#reporter,
        signal: this.#lost.signal,
        key: this.#services.key,
        agent: prepared?.agent ?? null,
        copy: prepared?.copy ?? null,
        config: this.#services.config,
        clock,
        log,
      });
      at("after_artifacts", lease.leaseId);
      const { counts } = this.#services;
      counts.results.set(result.status, (counts.results.get(result.status) ?? 0) + 1);
      counts.logBytes += spools.stdout.size + spools.stderr.size;
      this.#reporting = true;
      await journal.terminal(lease.leaseId, result).catch((error) => this.#unwritten(error));
      at("after_journal_terminal", lease.leaseId);
      giveBack();
      freeSlot();
      await settleLease(
        this.#services,
        context,
        result,
        this.#reporter,
        this.#provider,
        prepared?.copy ?? null,
      );
    } finally {
      giveBack();
      await prepared?.egress?.close();
      await prepared?.agent?.close();
      await prepared?.copy?.close();
      this.#lost.abort();
      spools.stdout.close();
      spools.stderr.close();
      await renewing;
    }
  }

  #unwritten(error: unknown): void {
    this.#services.log.error("the journal cannot be written", {
      lease: this.lease.leaseId,
      reason: toFailure(error).message,
    });
  }

  /** Use up the nonce. False when the controller no longer wants this attempt to run. */
  async #start(startedAt: string): Promise<boolean> {
    const { clock, log } = this.#services;
    const sentAt = clock.monotonic();
    try {
      const state = await this.#reporter.started(
        startedAt,
        this.#provider.capability.provider,
        AbortSignal.any([this.#lost.signal, this.#services.signal]),
      );
      this.#granted(state, sentAt);
      return true;
    } catch (error) {
      const failure = toFailure(error);
      log.warn("the lease was not started", {
        lease: this.lease.leaseId,
        code: failure.code,
        reason: failure.message,
      });
      return false;
    }
  }

  #granted(state: LeaseState, sentAt: number): void {
    this.#fence.extend(sentAt, state.remainingMs);
    for (const directive of state.directives) {
      if (directive.kind === "cancel" && directive.leaseId === this.lease.leaseId) {
        this.cancel(directive.fencingToken);
      }
    }
  }

  async #abandon(prepared: Prepared | null): Promise<void> {
    const { journal, workspaces, log } = this.#services;
    const { leaseId } = this.lease;
    // What cannot be ended is tried again below, and holds back nobody else's workspace.
    await this.#provider.cleanup(leaseId).catch(() => {});
    if (prepared !== null) workspaces.release(this.lease.workspace.key);
    await prepared?.egress?.close();
    await prepared?.agent?.close();
    await prepared?.copy?.close();
    try {
      await cleanLease(this.#services, this.lease, null, this.#provider);
    } catch (error) {
      log.error("a lease could not be cleaned up", { lease: leaseId, reason: toFailure(error).message });
      await journal.reported(leaseId);
      return;
    }
    await journal.confirmed(leaseId);
  }

  /** Run the command to its end. What it did is in the journal before anything is cleaned up. */
  async #execute(
    prepared: Prepared | null,
    refused: Failure | null,
    startedAt: string,
    spools: { stdout: Spool; stderr: Spool },
    redaction: Redaction,
  ): Promise<{ exit: ExitRecord | null; outcome: Outcome | null; shipping: Promise<void> }> {
    const { journal, at, clock, config } = this.#services;
    const { lease } = this;
    const neverRan = (outcome: Outcome) => {
      spools.stdout.end();
      spools.stderr.end();
      return { exit: null, outcome, shipping: Promise.resolve() };
    };
    if (prepared === null) return neverRan(notStarted(refused ?? fail("execution_start_failed")));
    if (this.#stopReason !== null) {
      const exit = {
        exitCode: null,
        signal: null,
        stop: this.#stopReason,
        completedAt: startedAt,
        durationMs: 0,
      };
      return neverRan({ ...outcomeOf(exit, ""), retrySafety: "safe" });
    }
    const begun = clock.monotonic();
    let process: ReturnType<SandboxProvider["execute"]>;
    try {
      await journal.executing(lease.leaseId, startedAt);
      at("after_journal_executing", lease.leaseId);
      process = this.#provider.execute(lease.leaseId);
    } catch (error) {
      return neverRan(notStarted(toFailure(error)));
    }
    this.#running = true;
    this.state = "running";
    this.#fence.begin(lease.deadlineMs);
    // A stop that came while the command was being started.
    if (this.#stopReason !== null) this.#end(this.#stopReason);
    at("after_spawn", lease.leaseId);

    const abandonPipes = new AbortController();
    const budget = createBudget(lease.limits.logBytes);
    const exceeded = () => this.#stop("output_too_large");
    const capture = (pipe: ReadableStream<Uint8Array>, spool: Spool) =>
      captureLog(pipe, spool, redaction, budget, lease.limits.logBytes, exceeded, abandonPipes.signal);
    const captured = Promise.all([
      capture(process.stdout, spools.stdout),
      capture(process.stderr, spools.stderr),
    ]);
    const shipping = shipLogs([spools.stdout, spools.stderr], this.#reporter, this.#lost.signal);
    // Its failure is reported by `finishLease`, which looks at it only when the task is over.
    shipping.catch(() => {});

    const { exitCode, signal, unknown } = await process.exited;
    this.#running = false;
    if (this.#killTimer !== null) clearTimeout(this.#killTimer);
    this.#fence.finished();
    at("after_exit", lease.leaseId);
    const exit: ExitRecord = {
      exitCode,
      signal,
      stop: this.#stopReason,
      ...(unknown === undefined ? {} : { unknown }),
      completedAt: isoTime(clock.wall()),
      durationMs: Math.round(clock.monotonic() - begun),
    };
    // A journal that cannot be written must not keep back a result that is known: the runner is unhealthy by then,
    // and gets no more work.
    await journal.exited(lease.leaseId, exit).catch((error) => this.#unwritten(error));
    at("after_journal_exited", lease.leaseId);
    // Whatever it left behind must not write on while its output is collected, nor hold the pipes open.
    await this.#killing?.catch(() => {});
    await this.#provider.kill(lease.leaseId).catch((error) => {
      this.#services.log.error("processes of a task are left", {
        lease: lease.leaseId,
        reason: toFailure(error).message,
      });
    });
    const timer = setTimeout(() => abandonPipes.abort(), Math.min(PIPE_GRACE_MS, config.killGraceMs + 1_000));
    await captured;
    clearTimeout(timer);
    return { exit, outcome: null, shipping };
  }

  #renew(): Promise<void> {
    const { signal } = this.#lost;
    return renewLease(this.lease, this.#reporter, this.#services.clock, signal, {
      granted: (state, sentAt) => this.#granted(state, sentAt),
      refused: (failure) => {
        // A result that was taken ends the lease.
        if (this.#reporting) return;
        this.#services.log.warn("the lease is lost", {
          lease: this.lease.leaseId,
          code: failure.code,
          reason: failure.message,
        });
        this.#stop("lease_lost");
      },
    });
  }

  #stop(reason: StopReason): void {
    if (reason === "lease_lost") this.#lost.abort();
    if (this.#stopReason !== null && reason !== "lease_lost") return;
    if (this.state === "reporting") return;
    this.#stopReason ??= reason;
    if (this.#running) this.#end(reason);
  }

  /** Ask, then force; at once where the task has no right to go on. */
  #end(reason: StopReason): void {
    const { leaseId } = this.lease;
    const kill = () => {
      this.#killing ??= this.#provider.kill(leaseId);
      this.#killing.catch(() => {});
    };
    this.state = "stopping";
    if (reason === "lease_lost" || reason === "output_too_large" || reason === "disk_full") {
      kill();
      return;
    }
    this.#provider.terminate(leaseId);
    this.#killTimer ??= setTimeout(kill, this.#services.config.killGraceMs);
  }
}
