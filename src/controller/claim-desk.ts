import type { KeyObject } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { coalesce } from "../base/coalesce.ts";
import { newId, randomToken } from "../base/ids.ts";
import type { Claim, Lease, UnsignedLease } from "../protocol/index.ts";
import { signLease } from "../protocol/index.ts";
import { claimLeases, type Store, type Waiter } from "../store/index.ts";
import { buildLease } from "./build-lease.ts";

interface Waiting extends Waiter {
  /** Its time is over: it ends with the match that is under way, which may still bring it a lease. */
  expired: boolean;
  matching: boolean;
  /** Its session changed while it was being matched. */
  stale: boolean;
  finish(lease: Lease | null): void;
  refuse(error: unknown): void;
}

/**
 * Claims that wait for work. A claim is answered in the turn in which work is queued; there is no polling on the way.
 * All claims of a turn are matched in one transaction, first come first served.
 */
export class ClaimDesk {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #key: KeyObject;
  readonly #waiting = new Set<Waiting>();
  readonly #unlisten: () => void;
  /** Match what waits with what is queued. */
  readonly match = coalesce(() => (this.#waiting.size === 0 ? Promise.resolve() : this.#matchOnce()));
  #postponed: ReturnType<typeof setTimeout> | null = null;

  constructor(store: Store, clock: Clock, key: KeyObject) {
    this.#store = store;
    this.#clock = clock;
    this.#key = key;
    this.#unlisten = store.listen((topic, keys) => {
      if (topic === "session") {
        for (const waiting of this.#waiting) {
          if (keys.size === 0 || keys.has(waiting.sessionId)) {
            waiting.session = null;
            waiting.stale = true;
          }
        }
      }
      if (topic === "request" || topic === "session") this.match();
    });
  }

  /** A lease, or null when none came within the claim's `waitMs`. */
  claim(message: Claim, tokenHash: string, waitMs: number, signal: AbortSignal): Promise<Lease | null> {
    return new Promise((resolve, reject) => {
      const settle = (work: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
        work();
      };
      const waiting: Waiting = {
        tokenHash,
        runnerId: message.runnerId,
        sessionId: message.sessionId,
        messageId: message.messageId,
        leaseId: newId(),
        nonce: randomToken(),
        session: null,
        expired: false,
        matching: false,
        stale: false,
        finish: (lease) => settle(() => resolve(lease)),
        refuse: (error) => settle(() => reject(error)),
      };
      // Never before it was looked at once, and never while a lease may be on its way: that one would be lost.
      const timer = setTimeout(() => {
        if (waiting.session !== null && !waiting.matching) waiting.finish(null);
        else waiting.expired = true;
      }, waitMs);
      signal.addEventListener("abort", () => waiting.finish(null), { once: true });
      this.#waiting.add(waiting);
      this.match();
    });
  }

  async #matchOnce(): Promise<void> {
    const batch = [...this.#waiting];
    for (const waiting of batch) {
      waiting.matching = true;
      waiting.stale = false;
    }
    const now = this.#clock.wall();
    try {
      const { answers, postponedUntil } = await this.#store.write(claimLeases, {
        waiters: batch,
        now,
        build: buildLease,
      });
      for (const [position, answer] of answers.entries()) {
        const waiting = batch[position]!;
        waiting.matching = false;
        if ("idle" in answer) {
          waiting.session = waiting.stale ? null : answer.idle;
          if (waiting.expired) waiting.finish(null);
          continue;
        }
        if ("refused" in answer) waiting.refuse(answer.refused);
        else waiting.finish(signLease(answer.lease as unknown as UnsignedLease, this.#key));
      }
      if (postponedUntil !== null) this.#lookAgain(postponedUntil);
    } catch (error) {
      for (const waiting of batch) waiting.refuse(error);
    }
  }

  /** A request that was put back is due later: be there then. */
  #lookAgain(at: number): void {
    if (this.#postponed !== null) clearTimeout(this.#postponed);
    this.#postponed = setTimeout(
      () => {
        this.#postponed = null;
        this.match();
      },
      Math.max(1, at - this.#clock.wall()),
    );
  }

  close(): void {
    this.#unlisten();
    if (this.#postponed !== null) clearTimeout(this.#postponed);
    for (const waiting of [...this.#waiting]) waiting.finish(null);
  }
}
