import { toFailure } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { LeaseRun } from "./lease/run.ts";

/** The leases of this process: those that have a slot, and those whose results are on their way, their slots already free. */
export class LeasesInHand {
  readonly #running = new Map<string, LeaseRun>();
  readonly #settling = new Map<string, LeaseRun>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** How many have a slot. */
  get active(): number {
    return this.#running.size;
  }

  get settling(): number {
    return this.#settling.size;
  }

  /** Whether it has a slot. */
  has(leaseId: string): boolean {
    return this.#running.has(leaseId);
  }

  /** The one with a slot. */
  find(leaseId: string): LeaseRun | undefined {
    return this.#running.get(leaseId);
  }

  /** Those with a slot. */
  running(): LeaseRun[] {
    return [...this.#running.values()];
  }

  all(): LeaseRun[] {
    return [...this.#running.values(), ...this.#settling.values()];
  }

  /** Hold one until nothing of it is left to do. */
  add(run: LeaseRun, slotFreed: () => void): void {
    const { leaseId } = run.lease;
    this.#running.set(leaseId, run);
    void run.slot.then(() => {
      this.#running.delete(leaseId);
      this.#settling.set(leaseId, run);
      slotFreed();
    });
    run.done
      .catch((error) => {
        this.#log.error("a lease ended badly", { lease: leaseId, reason: toFailure(error).message });
      })
      .finally(() => {
        this.#running.delete(leaseId);
        this.#settling.delete(leaseId);
      });
  }
}
