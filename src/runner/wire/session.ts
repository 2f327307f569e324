import { type Failure, fail, toFailure } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { pause } from "../../base/pause.ts";
import type { RegistrationAccepted } from "../../protocol/index.ts";
import { type Backoff, createBackoff } from "./backoff.ts";
import { isSessionLost, isTransient } from "./client.ts";

export interface SessionOptions {
  /** One registration with a new message id. */
  readonly register: (signal: AbortSignal) => Promise<RegistrationAccepted>;
  /** Called after each registration, before anything else uses it. */
  readonly onRegistered: (session: RegistrationAccepted) => void;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly random: () => number;
}

export interface RetryOptions {
  /** Stop trying when this aborts. */
  readonly signal?: AbortSignal | undefined;
  readonly maximumWaitMs?: number;
}

/** The runner's registration with the controller: made when needed, made anew when it is lost. */
export class Session {
  readonly #options: SessionOptions;
  #current: RegistrationAccepted | null = null;
  #pending: Promise<RegistrationAccepted> | null = null;
  /** Whether the controller ever admitted this runner; a first refusal ends it, a later one does not. */
  #admitted = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get current(): RegistrationAccepted | null {
    return this.#current;
  }

  /** @throws Failure of the refusal when the first registration is refused for good, `unavailable` on stop */
  async ensure(): Promise<RegistrationAccepted> {
    if (this.#current !== null) return this.#current;
    this.#pending ??= this.#register().finally(() => {
      this.#pending = null;
    });
    return this.#pending;
  }

  /** Forget a session that the controller no longer knows; a newer one stays. */
  lost(sessionId: string): void {
    if (this.#current?.sessionId === sessionId) this.#current = null;
  }

  async #register(): Promise<RegistrationAccepted> {
    const { signal, log, random } = this.#options;
    const backoff = createBackoff(250, 30_000, random);
    while (!signal.aborted) {
      try {
        const session = await this.#options.register(signal);
        this.#current = session;
        this.#admitted = true;
        this.#options.onRegistered(session);
        return session;
      } catch (error) {
        const failure = toFailure(error);
        if (signal.aborted) break;
        const isFinal = !isTransient(failure) || failure.code === "controller_untrusted";
        if (isFinal && !this.#admitted) throw failure;
        log.warn("registration failed; trying again", { code: failure.code, reason: failure.message });
        await pause(backoff.next(), signal);
      }
    }
    throw fail("unavailable", "the runner is stopping");
  }

  /**
   * Send one message until it is answered: waits with jitter while the controller cannot be reached, and registers
   * again when the session is gone. The message, and so its id, is the caller's and stays the same.
   * @throws Failure of any other refusal, or the last failure when `signal` aborts
   */
  async deliver<T>(
    send: (session: RegistrationAccepted) => Promise<T>,
    options: RetryOptions = {},
  ): Promise<T> {
    const backoff: Backoff = createBackoff(250, options.maximumWaitMs ?? 5_000, this.#options.random);
    for (;;) {
      let failure: Failure;
      try {
        const session = await this.ensure();
        try {
          return await send(session);
        } catch (error) {
          failure = toFailure(error);
          if (isSessionLost(failure)) this.lost(session.sessionId);
          else if (!isTransient(failure)) throw failure;
        }
      } catch (error) {
        failure = toFailure(error);
        if (!isTransient(failure)) throw failure;
      }
      if (options.signal?.aborted || this.#options.signal.aborted) throw failure;
      await pause(backoff.next(), options.signal);
      if (options.signal?.aborted) throw failure;
    }
  }
}
