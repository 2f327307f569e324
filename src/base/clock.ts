/**
 * Two clocks, never mixed: wall time for what is stored and shown (integer milliseconds UTC), monotonic time for
 * deadlines inside one process (milliseconds, fractional).
 */
export interface Clock {
  wall(): number;
  monotonic(): number;
}

export const systemClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
};

/**
 * A clock whose wall time never goes back: when the machine's does, time goes on from where it was, as the monotonic
 * clock says, until the machine's has caught up. What was to end at some time does not live longer.
 */
export function neverBack(clock: Clock): Clock {
  let wall = clock.wall();
  let monotonic = clock.monotonic();
  return {
    monotonic: () => clock.monotonic(),
    wall() {
      const machine = clock.wall();
      const elapsed = clock.monotonic();
      const steady = Math.floor(wall + (elapsed - monotonic));
      // Level, or a little behind because the two clocks run at their own pace.
      if (machine >= wall) {
        wall = machine;
        monotonic = elapsed;
        return machine;
      }
      return steady;
    },
  };
}

/** RFC 3339 in UTC with milliseconds. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** A clock that tests move by hand. */
export class ManualClock implements Clock {
  #wall: number;
  #monotonic = 0;
  constructor(wall = 1_780_000_000_000) {
    this.#wall = wall;
  }
  wall(): number {
    return this.#wall;
  }
  monotonic(): number {
    return this.#monotonic;
  }
  advance(ms: number): void {
    this.#wall += ms;
    this.#monotonic += ms;
  }
  /** Move wall time alone, as an operator or NTP would. */
  setWall(ms: number): void {
    this.#wall = ms;
  }
}
