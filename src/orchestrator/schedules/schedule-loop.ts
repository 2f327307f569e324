import type { Clock } from "../../base/clock.ts";
import { coalesce } from "../../base/coalesce.ts";
import { Failure, toFailure } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { ScheduleSpec } from "../../engine/index.ts";
import {
  dueSchedules,
  endedSchedules,
  nextSchedule,
  rearmSchedule,
  type ScheduleRow,
  type StartInput,
  type Store,
  takeSchedule,
} from "../../store/index.ts";
import { takeDue } from "./next-due.ts";

/** The longest sleep: a wall clock that jumps is noticed within it. */
const LONGEST_MS = 1000;
const BATCH = 100;

interface Needs {
  store: Store;
  clock: Clock;
  log: Log;
}

/** What starts a run of a schedule, checked and ready to be written. */
export type PrepareStart = (row: ScheduleRow, due: number) => StartInput;

/**
 * Starts what is scheduled when it is due. Every due time is taken in one transaction with the start that it makes, under
 * an event id of its own, so that two orchestrators or a crash never make two runs of it.
 */
export class ScheduleLoop {
  readonly #needs: Needs;
  readonly #prepare: PrepareStart;
  readonly #unlisten: () => void;
  readonly #work = coalesce(() => (this.#stopped ? Promise.resolve() : this.#turn()));
  #timer: ReturnType<typeof setTimeout> | null = null;
  #stopped = false;
  /** Instances whose end makes the next due time. */
  #running = new Set<string>();

  constructor(needs: Needs, prepare: PrepareStart) {
    this.#needs = needs;
    this.#prepare = prepare;
    this.#unlisten = needs.store.listen((topic, keys) => {
      const ended =
        topic === "instance" && this.#running.size > 0 && [...keys].some((key) => this.#running.has(key));
      if (topic === "schedule" || ended) this.#work();
    });
    this.#work();
  }

  stop(): void {
    this.#stopped = true;
    this.#unlisten();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #turn(): Promise<void> {
    const { store, clock, log } = this.#needs;
    if (this.#timer !== null) clearTimeout(this.#timer);
    let failed = false;
    const tried = async (work: () => Promise<void>): Promise<void> => {
      try {
        if (!this.#stopped) await work();
      } catch (error) {
        failed = true;
        if (!this.#stopped) log.error("a schedule could not be taken", { error: String(error) });
      }
    };
    await tried(() => this.#rearm());
    if (this.#stopped) return;
    // One that fails keeps no other from its time.
    for (const row of store.read(dueSchedules, { now: clock.wall(), limit: BATCH }))
      await tried(() => this.#take(row));
    if (this.#stopped) return;
    const next = failed ? null : store.read(nextSchedule, null);
    const wait = next === null ? LONGEST_MS : Math.min(LONGEST_MS, Math.max(1, next - clock.wall()));
    this.#timer = setTimeout(this.#work, wait);
  }

  async #rearm(): Promise<void> {
    const { store, clock } = this.#needs;
    for (const { finished_at, ...row } of store.read(endedSchedules, null)) {
      const spec = JSON.parse(row.spec) as ScheduleSpec;
      const wait = spec.kind === "after" ? spec.after_ms : 0;
      await store.write(rearmSchedule, { row, nextAt: finished_at + wait, now: clock.wall() });
      this.#running.delete(row.running!);
    }
  }

  async #take(row: ScheduleRow): Promise<void> {
    const { store, clock, log } = this.#needs;
    const now = clock.wall();
    const spec = JSON.parse(row.spec) as ScheduleSpec;
    const { start: due, next } = takeDue(spec, row.next_at!, now);
    const pass = { row, start: null, due: due ?? row.next_at!, nextAt: next, now };
    if (due === null) {
      await store.write(takeSchedule, { ...pass, reason: "it was due too long ago" });
      return;
    }
    try {
      const start = this.#prepare(row, due);
      const started = await store.write(takeSchedule, { ...pass, start, reason: null });
      if (spec.kind === "after" && started !== null) this.#running.add(start.instanceId);
    } catch (error) {
      const failure = toFailure(error);
      if (!(error instanceof Failure) || failure.retry !== "never") throw error;
      // The same start would be refused again; the next due time may find another world.
      log.error("a scheduled run could not be started", { workflow: row.name, error: failure.message });
      const nextAt = next ?? (spec.kind === "after" ? now + Math.max(spec.after_ms, LONGEST_MS) : null);
      await store.write(takeSchedule, { ...pass, nextAt, reason: failure.message });
    }
  }
}
