import type { KeyObject } from "node:crypto";
import { realpathSync } from "node:fs";
import packageFile from "../../package.json" with { type: "json" };
import { type Clock, systemClock } from "../base/clock.ts";
import { type Failure, fail, toFailure } from "../base/errors.ts";
import { makePrivateDirectory } from "../base/files.ts";
import { newId } from "../base/ids.ts";
import type { Listening } from "../base/listen.ts";
import { type Log, silentLog } from "../base/log.ts";
import { pause } from "../base/pause.ts";
import {
  Acknowledged,
  AuditVerdict,
  type Directive,
  importPublicKey,
  type Lease,
  type RegistrationAccepted,
  ROUTES,
  type SigningKey,
} from "../protocol/index.ts";
import { binaryDigest } from "./binary-digest.ts";
import type { ProvenBrowser } from "./browser/prove.ts";
import { ClaimLoop } from "./claims.ts";
import { type EffectiveConfig, effectiveConfig } from "./config.ts";
import { guardDisk } from "./disk-guard.ts";
import { openWorkspaces, type Workspaces } from "./files/workspaces.ts";
import { type Health, watchHealth } from "./health.ts";
import { type RunnerReport, serveHealth } from "./health-server.ts";
import { type HeartbeatOptions, runHeartbeat } from "./heartbeat/loop.ts";
import { runnerState } from "./heartbeat/state.ts";
import { runHeartbeatThread } from "./heartbeat/thread.ts";
import { createHousekeeping } from "./housekeeping.ts";
import { loadIdentity } from "./identity.ts";
import { ImageStore } from "./images/store.ts";
import { LeasesInHand } from "./in-hand.ts";
import type { JournalEntry } from "./journal/entry.ts";
import type { Journal } from "./journal/journal.ts";
import { verifyOffer } from "./lease/admit.ts";
import { LeaseRun } from "./lease/run.ts";
import type { Counts, LeaseServices } from "./lease/services.ts";
import { forbidCores } from "./no-cores.ts";
import { openSession } from "./open-session.ts";
import type { RunnerOptions, RunningRunner } from "./options.ts";
import { auditSnapshot } from "./registration.ts";
import { chooseProvider, type Sandboxes, usableSandboxes } from "./sandbox-choice.ts";
import type { SandboxCapability } from "./sandboxes/index.ts";
import { takeJournal } from "./takeover.ts";
import { type Client, createClient } from "./wire/client.ts";
import { wireReporter } from "./wire/reporter.ts";
import type { Session } from "./wire/session.ts";
import { fetchWith } from "./wire/tls.ts";

export type { RunnerOptions, RunningRunner } from "./options.ts";

const MESSAGE_TIMEOUT_MS = 15_000;
const SWEEP_MS = 60_000;
/** How long results are still delivered when the runner stops; what is left is sent after the next start. */
const LAST_DELIVERY_MS = 3_000;

/**
 * Run tasks for a controller until `stop`. Returns at once; what goes wrong while starting rejects `ready` and
 * `closed`.
 * @throws Failure `invalid_request` for a configuration that is not valid
 */
export function startRunner(options: RunnerOptions): RunningRunner {
  return new Runner(options);
}

class Runner implements RunningRunner {
  readonly ready: Promise<void>;
  readonly sandboxes: Promise<readonly SandboxCapability[]>;
  readonly closed: Promise<void>;
  readonly #options: RunnerOptions;
  readonly #config: EffectiveConfig;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #random: () => number;
  readonly #client: Client;
  readonly #inHand: LeasesInHand;
  /** Ends the loops. */
  readonly #ending = new AbortController();
  /** Ends claiming alone. */
  readonly #noClaims = new AbortController();
  /** Ends the delivery of results. */
  readonly #silence = new AbortController();
  readonly #admitted = Promise.withResolvers<void>();
  readonly #proven = Promise.withResolvers<readonly SandboxCapability[]>();
  #leaseKey: KeyObject | null = null;
  readonly #counts: Counts = { results: new Map(), logBytes: 0 };
  #draining = false;
  /** When a heartbeat was last answered, on the monotonic clock. */
  #lastBeat: number | null = null;
  #stopped: Promise<void> | null = null;
  #claims: ClaimLoop | null = null;
  #session: Session | null = null;

  constructor(options: RunnerOptions) {
    this.#options = options;
    const config = effectiveConfig(options.config);
    makePrivateDirectory(config.dataDirectory);
    // The real path: marks of tasks are compared with it.
    this.#config = { ...config, dataDirectory: realpathSync(config.dataDirectory) };
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    this.#inHand = new LeasesInHand(this.#log);
    this.#random = options.random ?? Math.random;
    this.#client = createClient(options.controllerUrl, options.fetch ?? fetchWith(options.tls ?? {}));
    this.ready = this.#admitted.promise;
    this.sandboxes = this.#proven.promise;
    this.closed = this.#main().catch((error) => {
      const failure = toFailure(error);
      this.#log.error("the runner ended", { code: failure.code, reason: failure.message });
      this.#admitted.reject(failure);
      this.#proven.reject(failure);
      throw failure;
    });
    // Whoever wants to know looks; nobody looking must not end the process.
    for (const promise of [this.ready, this.sandboxes, this.closed]) promise.catch(() => {});
  }

  get active(): number {
    return this.#inHand.active;
  }

  stop(options: { readonly drain?: boolean } = {}): Promise<void> {
    this.#stopped ??= this.#stop(options.drain ?? false);
    return this.#stopped;
  }

  async #main(): Promise<void> {
    const config = this.#config;
    if (!forbidCores()) this.#log.warn("a crash may leave memory of a task on the disk");
    const embedded = this.#options.embedded === true || this.#options.fetch !== undefined;
    const journal = await takeJournal(config, embedded, this.#log, this.#ending.signal);
    let health: Health | null = null;
    let healthServer: Listening | null = null;
    try {
      const workspaces = openWorkspaces(config.dataDirectory, config.workspaceRetentionMs);
      const [sandboxes, digest] = await Promise.all([usableSandboxes(config), binaryDigest(journal)]);
      this.#proven.resolve(sandboxes.capabilities);
      if (sandboxes.remedy !== null)
        this.#log.warn("tasks run without isolation", { remedy: sandboxes.remedy });
      if (sandboxes.browserProblem !== null)
        this.#log.warn("no browser is offered", { reason: sandboxes.browserProblem });
      const housekeeping = createHousekeeping(config, journal, workspaces, sandboxes, this.#log);
      await housekeeping.atStart();
      health = watchHealth(config, journal, this.#clock, () => this.#inHand.settling);
      if (config.healthAddress !== undefined) {
        healthServer = serveHealth(config.healthAddress, () => this.#report(health!, journal));
      }
      const session = this.#openSession(sandboxes, digest, loadIdentity(config.dataDirectory));
      const services = this.#services(journal, workspaces, session, sandboxes.browser);
      const recovered = (entry: JournalEntry) => wireReporter(this.#client, session, { ...entry, nonce: "" });
      const { signal } = this.#ending;
      const claims = new ClaimLoop({
        client: this.#client,
        session,
        runnerId: config.runnerId,
        freeSlots: () => config.slots - this.#inHand.active,
        pausedBecause: () => (this.#draining ? "draining" : health!.trouble()),
        onLease: (lease, registered) => this.#take(lease, registered, services, sandboxes, health!),
        log: this.#log,
        random: this.#random,
        signal: this.#noClaims.signal,
      });
      this.#claims = claims;
      const diskUsers = () =>
        this.#inHand.running().map((run) => ({
          leaseId: run.lease.leaseId,
          directories: run.directories,
          stop: () => run.stopForSpace(),
        }));
      const disk = guardDisk(config, diskUsers, this.#log);
      const stopSweeping = housekeeping.sweepEvery(
        this.#options.sweepMs ?? SWEEP_MS,
        services,
        recovered,
        () => this.#inHand.all().map(({ lease }) => lease.leaseId),
      );
      try {
        await session.ensure();
        this.#admitted.resolve();
        const recovering = housekeeping.recover(services, recovered, this.#inHand);
        await Promise.all([
          this.#beat({
            session,
            describe: () =>
              runnerState({
                ...{ config, journal, digest, inHand: this.#inHand, log: this.#log },
                ...{ health: health!, browser: sandboxes.browser },
                isDraining: this.#draining,
                embedded: this.#options.embedded === true,
              }),
            onDirective: (directive, registered) => this.#obey(directive, registered, sandboxes, digest),
            onBeat: () => {
              this.#lastBeat = this.#clock.monotonic();
            },
            log: this.#log,
            signal,
          }),
          claims.run(),
        ]);
        await recovering;
      } finally {
        disk.close();
        stopSweeping();
      }
    } catch (error) {
      if (!this.#ending.signal.aborted) throw error;
      this.#admitted.reject(fail("unavailable", "the runner was stopped"));
    } finally {
      health?.close();
      await healthServer?.stop();
      await Promise.allSettled(this.#inHand.all().map((run) => run.done));
      await journal.close();
    }
  }

  #beat(heartbeat: Omit<HeartbeatOptions, "client" | "clock" | "random">): Promise<void> {
    const { controllerUrl, fetch: given, tls = {} } = this.#options;
    if (given === undefined) return runHeartbeatThread({ ...heartbeat, controllerUrl, tls });
    // A controller of this very process is held up by whatever holds up the runner.
    return runHeartbeat({
      ...heartbeat,
      client: this.#client,
      clock: this.#clock,
      random: this.#random,
    });
  }

  #openSession(sandboxes: Sandboxes, digest: string, identity: SigningKey): Session {
    const session = openSession({
      client: this.#client,
      config: this.#config,
      sandboxes,
      digest,
      version: this.#options.version,
      identity,
      enrolmentToken: this.#options.enrolmentToken,
      timeoutMs: MESSAGE_TIMEOUT_MS,
      onRegistered: (registered) => {
        this.#leaseKey = importPublicKey(registered.leaseKey);
        this.#log.info("registered", { session: registered.sessionId, effective: registered.effective });
      },
      log: this.#log,
      signal: this.#ending.signal,
      random: this.#random,
    });
    this.#session = session;
    return session;
  }

  #services(
    journal: Journal,
    workspaces: Workspaces,
    session: Session,
    browser: ProvenBrowser | null,
  ): LeaseServices {
    return {
      config: this.#config,
      journal,
      workspaces,
      images: new ImageStore(this.#config.imagesDirectory),
      browser,
      key: loadIdentity(this.#config.dataDirectory),
      broker: this.#options.broker,
      ownSecrets: () => [
        ...(this.#options.enrolmentToken === null ? [] : [this.#options.enrolmentToken]),
        ...(session.current === null ? [] : [session.current.claimToken, session.current.heartbeatToken]),
      ],
      clock: this.#clock,
      log: this.#log,
      at: this.#options.atPoint ?? (() => {}),
      counts: this.#counts,
      signal: this.#silence.signal,
    };
  }

  /** Take a lease into a slot, or give it back with a reason. */
  #take(
    offer: Lease,
    session: RegistrationAccepted,
    services: LeaseServices,
    sandboxes: Sandboxes,
    health: Health,
  ): void {
    const reporter = wireReporter(this.#client, this.#session!, offer);
    const reject = (failure: Failure) => {
      const reason = failure.hint === undefined ? failure.message : `${failure.message} (${failure.hint})`;
      this.#log.warn("a lease was rejected", { lease: offer.leaseId, code: failure.code, reason });
      reporter.reject(reason, services.signal).catch((error) => {
        this.#log.warn("a rejection was not taken", {
          lease: offer.leaseId,
          reason: toFailure(error).message,
        });
      });
    };
    try {
      const lease = verifyOffer(offer, this.#config, session, this.#leaseKey!);
      // A second offer of what is or was in hand is answered by what is already under way, never by a second run.
      if (this.#inHand.has(lease.leaseId) || services.journal.find(lease.leaseId) !== null) {
        this.#log.info("a lease was offered again", { lease: lease.leaseId });
        return;
      }
      if (this.#draining) throw fail("runner_draining");
      if (this.#inHand.active >= this.#config.slots)
        throw fail("execution_capacity_deferred", "no slot is free");
      // A claim that was waiting when the trouble began is answered nevertheless.
      const trouble = health.trouble();
      if (trouble !== null) throw fail("execution_capacity_deferred", trouble);
      const provider = chooseProvider(lease, sandboxes);
      const run = new LeaseRun(services, lease, provider, reporter);
      this.#inHand.add(run, () => this.#claims?.slotFreed());
    } catch (error) {
      reject(toFailure(error));
    }
  }

  #report(health: Health, journal: Journal): RunnerReport {
    return {
      trouble: health.trouble(),
      stalled: health.isStalled(),
      registered: this.#session?.current != null,
      draining: this.#draining,
      slots: this.#config.slots,
      active: this.#inHand.active,
      settling: this.#inHand.settling,
      cleanupBacklog: health.cleanupBacklog(),
      journalWritable: journal.trouble === null,
      heartbeatAgeMs: this.#lastBeat === null ? null : this.#clock.monotonic() - this.#lastBeat,
      ...this.#counts,
      version: this.#options.version ?? packageFile.version,
    };
  }

  #obey(directive: Directive, session: RegistrationAccepted, sandboxes: Sandboxes, digest: string): void {
    if (directive.kind === "cancel") this.#inHand.find(directive.leaseId)?.cancel(directive.fencingToken);
    else if (directive.kind === "drain") {
      if (!this.#draining) this.#log.info("draining", { reason: directive.reason });
      this.#draining = true;
    } else {
      const body = auditSnapshot(this.#config, session.sessionId, sandboxes, digest);
      this.#client
        .call({
          path: ROUTES.auditSnapshot,
          token: session.heartbeatToken,
          body,
          answer: AuditVerdict,
          timeoutMs: MESSAGE_TIMEOUT_MS,
        })
        .then((verdict) => this.#log.info("audited", verdict))
        .catch((error) => this.#log.warn("the audit was not taken", { reason: toFailure(error).message }));
    }
  }

  async #stop(drain: boolean): Promise<void> {
    this.#draining = true;
    this.#noClaims.abort();
    const session = this.#session?.current;
    if (session) {
      const body = {
        messageId: newId(),
        runnerId: this.#config.runnerId,
        sessionId: session.sessionId,
        reason: "the runner is stopping",
        deadlineMs: drain ? this.#config.drainMs : 0,
      };
      await this.#client
        .call({
          path: ROUTES.drain,
          token: session.heartbeatToken,
          body,
          answer: Acknowledged,
          timeoutMs: 1_000,
        })
        .catch((error) => this.#log.debug("no drain", { reason: toFailure(error).message }));
    }
    // A pause that lost its race would keep the process alive.
    const over = new AbortController();
    const atMost = (ms: number) => pause(ms, over.signal);
    const slots = () => Promise.allSettled(this.#inHand.running().map((run) => run.slot));
    if (drain) await Promise.race([slots(), atMost(this.#config.drainMs)]);
    for (const run of this.#inHand.running()) run.stop();
    await Promise.race([slots(), atMost(this.#config.killGraceMs + 2_000)]);
    const delivered = Promise.allSettled(this.#inHand.all().map((run) => run.done));
    await Promise.race([delivered, atMost(LAST_DELIVERY_MS)]);
    over.abort();
    this.#silence.abort();
    this.#ending.abort();
    await this.closed.catch(() => {});
  }
}
