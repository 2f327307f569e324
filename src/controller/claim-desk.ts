import type { KeyObject } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { newId, randomToken } from "../base/ids.ts";
import { type Claim, signedLeaseText, type UnsignedLease } from "../protocol/index.ts";
import {
  type Changed,
  type ClaimOutcome,
  claimLeases,
  type Joined,
  readShares,
  type Store,
  type Waiter,
} from "../store/index.ts";
import { buildLease } from "./build-lease.ts";
import { FairOrder } from "./fair-order.ts";

interface Waiting extends Waiter {
  readonly signal: AbortSignal;
  /** Monotonic: when the claim gives up waiting. */
  readonly until: number;
  timer: ReturnType<typeof setTimeout> | null;
  /** Its time is over: it ends with the match that is under way, which may still bring it a lease. */
  expired: boolean;
  matching: boolean;
  /** Its session changed while it was being matched. */
  stale: boolean;
  /** Its session had as many leases as it may: it waits for one of them to end. */
  full: boolean;
  resolve(lease: string | null): void;
  reject(error: unknown): void;
}

/** Leases of one transaction: enough to share its commit, few enough that another tenant's turn comes soon. */
const TURN = 256;

/**
 * Claims that wait for work. A claim is answered in the turn in which work is queued, by the very commit that queues it;
 * there is no polling on the way. All claims of a turn are matched together, tenants by their weights and each in the
 * order in which it came.
 */
export class ClaimDesk {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #key: KeyObject;
  readonly #order = new FairOrder();
  readonly #waiting = new Set<Waiting>();
  readonly #unlisten: () => void;
  readonly #leaveStore: () => void;
  #wanted = false;
  #postponed: ReturnType<typeof setTimeout> | null = null;

  constructor(store: Store, clock: Clock, key: KeyObject) {
    this.#store = store;
    this.#clock = clock;
    this.#key = key;
    this.#unlisten = store.listen((topic, keys, foreign) => {
      if (topic === "session") {
        for (const waiting of this.#waiting) {
          if (keys.size === 0 || keys.has(waiting.sessionId)) {
            waiting.session = null;
            waiting.stale = true;
          }
        }
      }
      if (topic === "request" || topic === "session") this.match();
      // What this process does to its leases was seen by the match of that batch.
      else if (topic === "slot" && foreign) this.match();
    });
    this.#leaveStore = store.join((changed) => this.#join(changed));
  }

  /** Match what waits with what is queued. */
  match(): void {
    if (this.#waiting.size === 0) return;
    this.#wanted = true;
    this.#store.wake();
  }

  /** A signed lease as JSON, or null when none came within the claim's `waitMs`. */
  claim(message: Claim, tokenHash: string, waitMs: number, signal: AbortSignal): Promise<string | null> {
    return new Promise((resolve, reject) => {
      this.#waiting.add({
        tokenHash,
        runnerId: message.runnerId,
        sessionId: message.sessionId,
        messageId: message.messageId,
        leaseId: newId(),
        nonce: randomToken(),
        session: null,
        signal,
        until: this.#clock.monotonic() + waitMs,
        timer: null,
        expired: false,
        matching: false,
        stale: false,
        full: false,
        resolve,
        reject,
      });
      this.match();
    });
  }

  #leave(waiting: Waiting): void {
    if (waiting.timer !== null) clearTimeout(waiting.timer);
    this.#waiting.delete(waiting);
  }

  #finish(waiting: Waiting, lease: string | null): void {
    this.#leave(waiting);
    waiting.resolve(lease);
  }

  #refuse(waiting: Waiting, error: unknown): void {
    this.#leave(waiting);
    waiting.reject(error);
  }

  /** There is nothing for it now: it waits on, if it has time. */
  #hold(waiting: Waiting): void {
    const left = waiting.until - this.#clock.monotonic();
    if (waiting.expired || left <= 0 || waiting.signal.aborted) {
      this.#finish(waiting, null);
      return;
    }
    if (waiting.timer !== null) return;
    // Only from here on, since most claims of a busy queue never wait. And never while a lease may be on its way to it,
    // which would be lost.
    const expire = () => {
      waiting.expired = true;
      if (!waiting.matching) this.#finish(waiting, null);
    };
    waiting.timer = setTimeout(expire, left);
    waiting.signal.addEventListener("abort", expire, { once: true });
  }

  /** The match of one batch of the store, when there is anything that it could bring. */
  #join(changed: Changed): Joined | null {
    const all = this.#wanted || changed.has("request");
    const slots = changed.get("slot");
    if (!all && slots === undefined) return null;
    this.#wanted = false;
    const free = [...this.#waiting].filter(
      ({ matching, full, sessionId }) => !matching && (all || (full && slots!.has(sessionId))),
    );
    if (free.length === 0) return null;
    const shares = this.#severalTenants() ? this.#store.read(readShares, null) : null;
    const weightOf = (tenant: string) => shares?.get(tenant) ?? 1;
    const waiters =
      shares === null ? free : this.#order.arrange(free, (each) => each.session?.tenant_id ?? "", weightOf);
    for (const waiting of waiters) {
      waiting.matching = true;
      waiting.stale = false;
    }
    const batch = { waiters, now: this.#clock.wall(), limit: TURN, build: buildLease };
    const texts = new Map<UnsignedLease, string>();
    return {
      run: (tx) => claimLeases(tx, batch),
      prepare: (outcome: ClaimOutcome) => this.#sign(outcome, texts),
      resolve: (outcome: ClaimOutcome) =>
        this.#tell(waiters, outcome, texts, shares === null ? null : weightOf),
      reject: (error) => {
        for (const waiting of waiters) this.#refuse(waiting, error);
      },
    };
  }

  #sign({ answers }: ClaimOutcome, texts: Map<UnsignedLease, string>): void {
    for (const answer of answers) {
      if (!("lease" in answer)) continue;
      const lease = answer.lease as unknown as UnsignedLease;
      try {
        texts.set(lease, signedLeaseText(lease, this.#key));
      } catch {
        // Whoever tells of it signs again, and refuses its claim alone.
      }
    }
  }

  #tell(
    waiters: readonly Waiting[],
    { answers, postponedUntil, more }: ClaimOutcome,
    texts: ReadonlyMap<UnsignedLease, string>,
    weightOf: ((tenant: string) => number) | null,
  ): void {
    for (const [position, answer] of answers.entries()) {
      const waiting = waiters[position]!;
      waiting.matching = false;
      if ("refused" in answer) {
        // Who waits, or has gone, when its runner begins to drain has done nothing wrong: it ends without work.
        const drains = answer.refused.code === "runner_draining";
        if (drains && (waiting.timer !== null || waiting.signal.aborted)) this.#finish(waiting, null);
        else this.#refuse(waiting, answer.refused);
      } else if ("idle" in answer) {
        waiting.session = waiting.stale ? null : answer.idle;
        waiting.full = answer.full === true;
        this.#hold(waiting);
      } else {
        const lease = answer.lease as unknown as UnsignedLease;
        if (weightOf !== null) this.#order.served(lease.tenantId, weightOf(lease.tenantId));
        try {
          this.#finish(waiting, texts.get(lease) ?? signedLeaseText(lease, this.#key));
        } catch (error) {
          // A text that cannot be signed: the lease runs out, the others have theirs.
          this.#refuse(waiting, error);
        }
      }
    }
    if (more) this.match();
    if (postponedUntil !== null) this.#lookAgain(postponedUntil);
  }

  #severalTenants(): boolean {
    let first: string | null = null;
    for (const { session } of this.#waiting) {
      if (session === null) continue;
      if (first !== null && session.tenant_id !== first) return true;
      first = session.tenant_id;
    }
    return false;
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
    this.#leaveStore();
    if (this.#postponed !== null) clearTimeout(this.#postponed);
    for (const waiting of [...this.#waiting]) this.#finish(waiting, null);
  }
}
