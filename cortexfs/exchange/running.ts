import type { Clock } from "../../src/base/clock.ts";
import { fail, toFailure } from "../../src/base/errors.ts";
import type { Log } from "../../src/base/log.ts";
import type { Attempt } from "../providers/call.ts";
import type { Delta } from "../providers/conversation.ts";
import type { Audit } from "./audit.ts";
import { errorText, pick, withAttempts } from "./outcome.ts";
import { type Plan, Refusal, type RunResult } from "./plan.ts";
import type { Requests } from "./requests.ts";
import type { ExchangeStore, RequestRow } from "./store/store.ts";

interface Needs {
  readonly store: ExchangeStore;
  readonly requests: Requests;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly log: Log;
  /** The files of a request have changed. */
  readonly touch: (row: RequestRow) => void;
  /** What calls told about the providers. */
  readonly learn: (attempts: readonly Attempt[]) => void;
}

/** Requests from their start to the outcome that is kept. */
export class RunningRequests {
  readonly #needs: Needs;
  readonly #controllers = new Map<RequestRow, AbortController>();

  constructor(needs: Needs) {
    this.#needs = needs;
  }

  /** Run a request when its slot is free, and keep what came of it. */
  start(row: RequestRow, plan: Plan, slot: Promise<() => void> | undefined): void {
    const controller = new AbortController();
    this.#controllers.set(row, controller);
    const stream = plan.streams ? this.#needs.requests.openStream(row) : undefined;
    const onDelta = (delta: Delta): void => {
      if (stream === undefined) return;
      stream.append(`${JSON.stringify(delta)}\n`, this.#needs.clock.wall());
      this.#needs.touch(row);
    };
    const run = async (): Promise<RunResult> => {
      const release = await slot;
      try {
        if (row.state === "queued") {
          row.state = "running";
          this.#needs.store.setState(row, "running");
          // On the disk before it reaches a provider: after a crash it must not be sent twice in silence.
          await this.#needs.store.durable();
        }
        controller.signal.throwIfAborted();
        return await plan.run({ row, signal: controller.signal, onDelta });
      } finally {
        release?.();
      }
    };
    run().then(
      (result) => this.finish(row, result),
      (error: unknown) => this.finish(row, error instanceof Refusal ? error : new Refusal(toFailure(error))),
    );
  }

  /** End it, if it runs. */
  cancel(row: RequestRow): void {
    this.#controllers.get(row)?.abort(fail("execution_cancelled", "the request was cancelled"));
  }

  /** Keep an outcome; it is seen when it is on the disk. */
  finish(row: RequestRow, outcome: RunResult | Refusal): void {
    this.#controllers.delete(row);
    const facts = { uid: row.uid, gid: row.gid, pid: row.pid, name: row.id, surface: row.surface };
    const finished = this.#needs.clock.wall();
    const latencyMs = finished - row.created;
    const live = this.#needs.requests.live(row);
    const attempts = outcome.attempts ?? [];
    const routeText = withAttempts(row.route, attempts);
    let state: RequestRow["state"];
    let result: string;
    if (outcome instanceof Refusal) {
      const { failure } = outcome;
      state = failure.code === "execution_cancelled" ? "cancelled" : "failed";
      result = errorText(row.id, outcome);
      this.#needs.audit.add({
        event: state === "cancelled" ? "cancelled" : "error",
        ...facts,
        latencyMs,
        fingerprint: row.fingerprint,
        error: failure.code,
      });
    } else {
      state = "done";
      result = outcome.body;
      this.#needs.audit.add({
        event: "drained",
        ...facts,
        latencyMs,
        fingerprint: row.fingerprint,
        ...pick(outcome, "provider", "model", "tool", "inputTokens", "outputTokens"),
      });
    }
    this.#needs.learn(attempts);
    const bytes = Buffer.from(result);
    const stream = live === undefined ? null : live.bytes().slice();
    this.#needs.store.finishRequest(row, { state, result: bytes, stream, route: routeText, finished });
    const settle = (): void => {
      row.state = state;
      row.resultBytes = bytes.length;
      row.streamBytes = stream?.length ?? 0;
      row.route = routeText;
      row.finished = finished;
      this.#needs.requests.finished(row);
      this.#needs.touch(row);
    };
    this.#needs.store.durable().then(settle, (error: unknown) => {
      this.#needs.log.error("an outcome could not be stored", {
        id: row.id,
        error: toFailure(error).message,
      });
      settle();
    });
  }
}
