import { type EventLine, eventLine, type Views } from "../../service/index.ts";
import { listEvents, readInstanceStatus, type Topic } from "../../store/index.ts";

/** Why a stream ended. `slow`: its reader did not read. */
export type EndReason = "finished" | "stopping" | "slow";

/** Whoever follows a run: told that there is more, or that there will be no more. It then reads at its own pace. */
export interface Follower {
  more(): void;
  /** Every few seconds: send a sign of life, or give up on a reader that does not read. */
  tick(now: number): void;
  end(reason: EndReason): void;
}

export interface StreamTimes {
  /** Nothing was sent for this long: a heartbeat, well below the idle timeouts of proxies. */
  readonly heartbeatMs: number;
  /** A reader that takes nothing for this long while there is something is cut off. */
  readonly stalledMs: number;
  readonly tickMs: number;
}
const TIMES: StreamTimes = { heartbeatMs: 15_000, stalledMs: 20_000, tickMs: 5_000 };

/** Lines kept for all followers; a follower further behind reads the store itself. */
const KEPT = 4096;
const PAGE = 512;
const UTF8 = new TextEncoder();
const ENDED = new Set(["completed", "faulted", "cancelled"]);
const MAXIMUM_GATHER_MS = 50;

/**
 * The events of one run for all its followers: each line is read from the store once. Followers have a position and no
 * queue, so a slow one costs nothing but its connection.
 */
export class RunFeed {
  readonly #lines: EventLine[] = [];
  readonly #followers = new Set<Follower>();
  readonly #encoded = new Map<number, { bytes: Uint8Array; last: number }>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #lastTold = 0;
  /** The position of the newest line that was read. */
  last: number;
  finished = false;

  constructor(
    readonly views: Views,
    readonly instanceId: string,
    readonly runId: string,
    readonly onEmpty: () => void,
  ) {
    this.last = 0;
    this.read();
  }

  add(follower: Follower): void {
    this.#followers.add(follower);
  }

  remove(follower: Follower): void {
    this.#followers.delete(follower);
    this.release();
  }

  /** Gone when nobody follows it. */
  release(): void {
    if (this.#followers.size > 0) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.onEmpty();
  }

  /** Lines after a position, at most a page, in order and without a gap. */
  after(position: number): readonly EventLine[] {
    if (position >= this.last) return [];
    const first = this.#lines[0]?.seq ?? Number.POSITIVE_INFINITY;
    if (position + 1 >= first) {
      const from = position + 1 - first;
      return this.#lines.slice(from, from + PAGE);
    }
    return this.#page(position).filter(({ seq }) => seq <= this.last);
  }

  /** The same as bytes of an event stream, made once for all followers that stand at one position. */
  encodedAfter(position: number): { readonly bytes: Uint8Array; readonly last: number } {
    let found = this.#encoded.get(position);
    if (found === undefined) {
      const lines = this.after(position);
      const text = lines.map(
        (line) => `id: ${line.seq}\nevent: ${line.event}\ndata: ${JSON.stringify(line)}\n\n`,
      );
      found = { bytes: UTF8.encode(text.join("")), last: lines.at(-1)?.seq ?? position };
      if (this.#encoded.size >= 64) this.#encoded.clear();
      this.#encoded.set(position, found);
    }
    return found;
  }

  /**
   * A hint that there is more. What comes close together is told together, for longer the more followers there are:
   * writing to a thousand connections costs more than what is written.
   */
  hint(): void {
    if (this.#timer !== null) return;
    const gather = Math.min(MAXIMUM_GATHER_MS, this.#followers.size / 20);
    const wait = Math.max(0, this.#lastTold + gather - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#lastTold = performance.now();
      const { last, finished } = this;
      this.read();
      if (this.last !== last || this.finished !== finished) for (const each of this.#followers) each.more();
    }, wait);
  }

  /** Whether the run has ended is read before its lines: none can come after that are not among them. */
  read(): void {
    if (this.finished) return;
    const ended = ENDED.has(this.views.read(readInstanceStatus, this.instanceId) ?? "completed");
    for (;;) {
      const page = this.#page(this.last);
      if (page.length === 0) break;
      this.#lines.push(...page);
      if (this.#lines.length > KEPT) this.#lines.splice(0, this.#lines.length - KEPT);
      this.last = page.at(-1)!.seq;
      this.#encoded.clear();
    }
    this.finished = ended;
  }

  #page(after: number): EventLine[] {
    const { instanceId, runId } = this;
    return this.views.read(listEvents, { instanceId, runId, after, limit: PAGE }).map(eventLine);
  }
}

/** The feeds of one process, and the end of all of them. */
export class Feeds {
  readonly #feeds = new Map<string, RunFeed>();
  readonly #unlisten: () => void;
  readonly #followers = new Set<Follower>();
  #ticking: ReturnType<typeof setInterval> | null = null;

  constructor(
    readonly views: Views,
    readonly times: StreamTimes = TIMES,
  ) {
    this.#unlisten = views.listen((topic, keys) => this.#heard(topic, keys));
  }

  /** The feed of a run, up to date. */
  open(instanceId: string, runId: string): RunFeed {
    let feed = this.#feeds.get(instanceId);
    if (feed === undefined) {
      feed = new RunFeed(this.views, instanceId, runId, () => this.#feeds.delete(instanceId));
      this.#feeds.set(instanceId, feed);
    } else feed.read();
    return feed;
  }

  follow(feed: RunFeed, follower: Follower): void {
    feed.add(follower);
    this.#followers.add(follower);
    this.#ticking ??= setInterval(() => {
      const now = performance.now();
      for (const each of this.#followers) each.tick(now);
    }, this.times.tickMs);
  }

  /** A feed that was opened and is not followed. */
  forget(feed: RunFeed): void {
    feed.release();
  }

  leave(feed: RunFeed, follower: Follower): void {
    feed.remove(follower);
    this.#followers.delete(follower);
    if (this.#followers.size > 0 || this.#ticking === null) return;
    clearInterval(this.#ticking);
    this.#ticking = null;
  }

  /** Every stream ends, with the reason. */
  stop(): void {
    this.#unlisten();
    for (const each of [...this.#followers]) each.end("stopping");
  }

  get followers(): number {
    return this.#followers.size;
  }

  #heard(topic: Topic, keys: ReadonlySet<string>): void {
    if (topic !== "event" && topic !== "instance") return;
    if (keys.size === 0) {
      for (const feed of this.#feeds.values()) feed.hint();
    } else for (const key of keys) this.#feeds.get(key)?.hint();
  }
}
