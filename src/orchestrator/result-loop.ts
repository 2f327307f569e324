import type { Artifacts } from "../artifacts/index.ts";
import type { Clock } from "../base/clock.ts";
import { LIMITS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { TaskResult } from "../protocol/index.ts";
import {
  acceptResults,
  type EnginePort,
  expireQueued,
  nextQueueExpiry,
  pendingResults,
  type Store,
} from "../store/index.ts";
import { queueTimeoutInput, resultInput } from "./result.ts";

const BATCH = 64;
/** Correctness does not rest on being told: every second the store itself is asked. */
const CATCH_UP_MS = 1000;

interface Needs {
  store: Store;
  artifacts: Artifacts;
  clock: Clock;
  log: Log;
}

/** Takes reported results into their instances as they come. */
export class ResultLoop {
  readonly #needs: Needs;
  readonly #engine: EnginePort;
  readonly #unlisten: () => void;
  readonly #catchUp: ReturnType<typeof setInterval>;
  #working = false;
  #again = false;
  #stopped = false;

  constructor(needs: Needs, engine: EnginePort) {
    this.#needs = needs;
    this.#engine = engine;
    this.#unlisten = needs.store.listen((topic) => {
      if (topic === "result") this.#wake();
    });
    this.#catchUp = setInterval(() => {
      this.#wake();
      void this.#expire();
    }, CATCH_UP_MS);
    this.#wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#unlisten();
    clearInterval(this.#catchUp);
  }

  #wake(): void {
    if (this.#stopped) return;
    if (this.#working) {
      this.#again = true;
      return;
    }
    this.#working = true;
    void this.#accept().finally(() => {
      this.#working = false;
      if (this.#again) {
        this.#again = false;
        this.#wake();
      }
    });
  }

  async #accept(): Promise<void> {
    const { store, clock, log } = this.#needs;
    try {
      for (;;) {
        const pending = store.read(pendingResults, { limit: BATCH });
        if (pending.length === 0) return;
        const texts = new Map<string, { stdout: string; stderr: string }>();
        for (const row of pending)
          texts.set(row.lease_id, await this.#textsOf(JSON.parse(row.body) as TaskResult));
        await store.write(acceptResults, {
          engine: this.#engine,
          now: clock.wall(),
          limit: BATCH,
          toInput: (leaseId, effect, result) => {
            const read = texts.get(leaseId);
            return read === undefined ? null : resultInput(effect, result as unknown as TaskResult, read);
          },
        });
      }
    } catch (error) {
      log.error("results could not be accepted", { error: String(error) });
    }
  }

  /** The text of a command that gives no structured output. Longer logs stay behind their reference. */
  async #textsOf(result: TaskResult): Promise<{ stdout: string; stderr: string }> {
    if (result.output !== null) return { stdout: "", stderr: "" };
    return { stdout: await this.#text(result.stdoutRef), stderr: await this.#text(result.stderrRef) };
  }

  async #text(reference: string | null): Promise<string> {
    const sha256 = /^artifact:\/\/sha256\/([0-9a-f]{64})$/.exec(reference ?? "")?.[1];
    if (sha256 === undefined) return "";
    const { artifacts } = this.#needs;
    const stored = artifacts.stat(sha256);
    if (stored === null) return "";
    const bytes = await artifacts
      .open(sha256, { start: 0, end: Math.min(stored.size, LIMITS.inlineValueBytes) })
      .text();
    return stored.size > LIMITS.inlineValueBytes ? `${bytes}\n… (${stored.size} bytes, ${reference})` : bytes;
  }

  async #expire(): Promise<void> {
    const { store, clock, log } = this.#needs;
    try {
      const next = store.read(nextQueueExpiry, null);
      if (next === null || next > clock.wall()) return;
      await store.write(expireQueued, {
        engine: this.#engine,
        now: clock.wall(),
        limit: BATCH,
        toInput: queueTimeoutInput,
      });
    } catch (error) {
      log.error("queued requests could not be expired", { error: String(error) });
    }
  }
}
