import type { Clock } from "../../base/clock.ts";

export type FenceEnd = "lease_lost" | "timed_out";

/**
 * The runner's own end of a lease, on the monotonic clock: whatever the network or the wall clock do, the task is
 * stopped when the time that the server granted has run down.
 */
export class Fence {
  readonly #clock: Clock;
  readonly #onEnd: (end: FenceEnd) => void;
  #leaseEnd: number;
  #deadline = Number.POSITIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #ended = false;

  constructor(clock: Clock, remainingMs: number, onEnd: (end: FenceEnd) => void) {
    this.#clock = clock;
    this.#onEnd = onEnd;
    this.#leaseEnd = clock.monotonic() + remainingMs;
    this.#arm();
  }

  /** The server granted `remainingMs` in answer to a message sent at `sentAt`: counted from the sending, to be safe. */
  extend(sentAt: number, remainingMs: number): void {
    this.#leaseEnd = sentAt + remainingMs;
    this.#arm();
  }

  /** The task itself begins now and may take this long. */
  begin(deadlineMs: number): void {
    this.#deadline = this.#clock.monotonic() + deadlineMs;
    this.#arm();
  }

  /** The task has ended: only the lease counts from here on. */
  finished(): void {
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#arm();
  }

  get remainingMs(): number {
    return Math.max(0, this.#leaseEnd - this.#clock.monotonic());
  }

  /** Whether the task's own time is over: at this very moment a cancel no longer wins. */
  get pastDeadline(): boolean {
    return this.#clock.monotonic() >= this.#deadline;
  }

  close(): void {
    this.#ended = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #arm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#ended) return;
    const wait = Math.min(this.#leaseEnd, this.#deadline) - this.#clock.monotonic();
    // A timer cannot be set for longer than this; it is simply set again.
    this.#timer = setTimeout(() => this.#check(), Math.min(Math.max(0, Math.ceil(wait)), 2_000_000_000));
    this.#timer.unref?.();
  }

  #check(): void {
    if (this.#ended) return;
    const now = this.#clock.monotonic();
    if (now >= this.#deadline) {
      this.#deadline = Number.POSITIVE_INFINITY;
      this.#onEnd("timed_out");
      this.#arm();
    } else if (now >= this.#leaseEnd) {
      this.#ended = true;
      this.#onEnd("lease_lost");
    } else this.#arm();
  }
}
