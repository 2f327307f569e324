import type { Artifacts } from "../artifacts/index.ts";
import type { Clock } from "../base/clock.ts";
import { coalesce } from "../base/coalesce.ts";
import { LIMITS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { TaskResult } from "../protocol/index.ts";
import {
  type AcceptPort,
  acceptResults,
  type EnginePort,
  expireApprovals,
  expireQueued,
  failLostSessions,
  lostPartitions,
  nextApprovalExpiry,
  nextQueueExpiry,
  type Store,
} from "../store/index.ts";
import { queueTimeoutInput, resultInput, revokedInput, sessionLostInput } from "./result.ts";
import { zstdBegin } from "./zstd-begin.ts";

const BATCH = 64;
/** Correctness does not rest on being told: every second the store itself is asked. */
const CATCH_UP_MS = 1000;

interface Needs {
  store: Store;
  artifacts: Artifacts;
  clock: Clock;
  log: Log;
}

interface Texts {
  readonly stdout: string;
  readonly stderr: string;
}

const NO_TEXT: Texts = { stdout: "", stderr: "" };

/** A command that gives no structured output is known by what it wrote. */
const hasText = (result: TaskResult): boolean =>
  result.output === null && (result.stdoutRef !== null || result.stderrRef !== null);

/** How a result that names no text becomes the input of its step, for whoever takes it in the commit that reports it. */
export const acceptance = (engine: EnginePort): AcceptPort => ({
  engine,
  toInput: (_lease, effect, result) => {
    const task = result as unknown as TaskResult;
    return hasText(task) ? null : resultInput(effect, task, NO_TEXT);
  },
});

/** Takes reported results into their instances as they come. */
export class ResultLoop {
  readonly #needs: Needs;
  readonly #engine: EnginePort;
  readonly #unlisten: () => void;
  readonly #catchUp: ReturnType<typeof setInterval>;
  readonly #wake = coalesce(() => (this.#stopped ? Promise.resolve() : this.#accept()));
  #stopped = false;

  constructor(needs: Needs, engine: EnginePort) {
    this.#needs = needs;
    this.#engine = engine;
    this.#unlisten = needs.store.listen((topic) => {
      if (topic === "result") this.#wake();
      // What was revoked takes its requests out of the queue.
      if (topic === "policy") void this.#expire();
    });
    this.#catchUp = setInterval(() => {
      this.#wake();
      void this.#expire();
      void this.#failLost();
    }, CATCH_UP_MS);
    this.#wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#unlisten();
    clearInterval(this.#catchUp);
  }

  async #accept(): Promise<void> {
    const { store, clock, log } = this.#needs;
    const texts = new Map<string, Texts>();
    try {
      for (;;) {
        const { count, left } = await store.write(acceptResults, {
          engine: this.#engine,
          now: clock.wall(),
          limit: BATCH,
          toInput: (leaseId, effect, result) => {
            const task = result as unknown as TaskResult;
            const read = hasText(task) ? texts.get(leaseId) : NO_TEXT;
            return read === undefined ? null : resultInput(effect, task, read);
          },
        });
        texts.clear();
        if (count === 0 && left.length === 0) return;
        for (const { leaseId, result } of left) {
          texts.set(leaseId, await this.#textsOf(result as unknown as TaskResult));
        }
        if (left.length === 0 && count < BATCH) return;
      }
    } catch (error) {
      log.error("results could not be accepted", { error: String(error) });
    }
  }

  async #textsOf(result: TaskResult): Promise<Texts> {
    return { stdout: await this.#text(result.stdoutRef), stderr: await this.#text(result.stderrRef) };
  }

  /** Longer logs stay behind their reference. */
  async #text(reference: string | null): Promise<string> {
    const [, sha256, encoding] =
      /^artifact:\/\/sha256\/([0-9a-f]{64})(\?encoding=zstd)?$/.exec(reference ?? "") ?? [];
    if (sha256 === undefined) return "";
    const { artifacts } = this.#needs;
    const stored = artifacts.stat(sha256);
    if (stored === null) return "";
    if (encoding !== undefined) {
      const begin = await zstdBegin(artifacts.open(sha256).stream(), LIMITS.inlineValueBytes);
      return `${begin}\n… (${reference})`;
    }
    const bytes = await artifacts
      .open(sha256, { start: 0, end: Math.min(stored.size, LIMITS.inlineValueBytes) })
      .text();
    return stored.size > LIMITS.inlineValueBytes ? `${bytes}\n… (${stored.size} bytes, ${reference})` : bytes;
  }

  async #expire(): Promise<void> {
    const { store, clock, log } = this.#needs;
    try {
      const approval = store.read(nextApprovalExpiry, null);
      if (approval !== null && approval <= clock.wall()) {
        await store.write(expireApprovals, { engine: this.#engine, now: clock.wall(), limit: BATCH });
      }
      const next = store.read(nextQueueExpiry, null);
      if (next === null || next > clock.wall()) return;
      await store.write(expireQueued, {
        engine: this.#engine,
        now: clock.wall(),
        limit: BATCH,
        toInput: queueTimeoutInput,
        revoked: revokedInput,
      });
    } catch (error) {
      log.error("queued requests could not be expired", { error: String(error) });
    }
  }

  async #failLost(): Promise<void> {
    const { store, clock, log } = this.#needs;
    const silentSince = clock.wall() - LIMITS.sessionLostMs;
    try {
      if (store.read(lostPartitions, { silentSince }).length === 0) return;
      const count = await store.write(failLostSessions, {
        engine: this.#engine,
        now: clock.wall(),
        silentSince,
        limit: BATCH,
        toInput: sessionLostInput,
      });
      log.warn("runners that hold sessions are gone", { steps: count });
    } catch (error) {
      log.error("steps of lost sessions could not be failed", { error: String(error) });
    }
  }
}
