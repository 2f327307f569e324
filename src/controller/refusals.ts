import { sha256 } from "../base/canonical.ts";
import type { Clock } from "../base/clock.ts";
import { type Failure, toFailure } from "../base/errors.ts";
import { pathOf } from "../base/http.ts";
import { isObject } from "../base/json.ts";
import type { Log } from "../base/log.ts";
import { appendRefusals, holderOf, NO_TENANT, type Refusal, type Store } from "../store/index.ts";

/** This many refusals of one kind in a window have an entry each; those after are one entry with their number. */
const SINGLE = 20;
/** And no more than this many of all kinds in one tenant's chain: a flood costs a few entries a second. */
const SINGLE_OF_TENANT = 200;
const WINDOW_MS = 60_000;
/** Kinds that are told apart in a window; beyond it they share one entry. */
const KINDS = 100;

const LEASE = /[0-9a-f]{8}-[0-9a-f-]{27}/;

interface Kind {
  readonly refusal: Refusal;
  /** Those without an entry of their own. */
  counted: number;
  written: number;
}

/**
 * Each refused message of a runner leaves an audit entry, in the commit that is under way anyway. A flood of them costs
 * a bounded number of entries: repeats are counted and written once a window.
 */
export class Refusals {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  #kinds = new Map<string, Kind>();
  readonly #written = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(store: Store, clock: Clock, log: Log) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** Note a refusal; resolves when its entry is on disk, or at once when it is only counted. */
  async note(request: Request, failure: Failure): Promise<void> {
    const refusal = this.#describe(request, failure);
    let key = `${refusal.tenantId} ${refusal.actor} ${refusal.object.replace(LEASE, "*")} ${failure.code}`;
    let kind = this.#kinds.get(key);
    if (kind === undefined && this.#kinds.size >= KINDS) {
      key = "";
      kind = this.#kinds.get(key);
    }
    this.#timer ??= setTimeout(() => void this.flush(), WINDOW_MS);
    if (kind === undefined) {
      const many = { tenantId: NO_TENANT, actor: "runners", object: "many", body: { code: "many" } };
      kind = { refusal: key === "" ? many : refusal, counted: 0, written: 0 };
      this.#kinds.set(key, kind);
    }
    const written = this.#written.get(refusal.tenantId) ?? 0;
    if (key === "" || kind.written >= SINGLE || written >= SINGLE_OF_TENANT) {
      kind.counted++;
      return;
    }
    kind.written++;
    this.#written.set(refusal.tenantId, written + 1);
    await this.#write([refusal]);
  }

  /** Write the counts of this window and begin the next. */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const kinds = this.#kinds;
    this.#kinds = new Map();
    this.#written.clear();
    const repeated = [...kinds.values()].flatMap(({ refusal, counted }) =>
      counted > 0 ? [{ ...refusal, body: { ...refusal.body, repeats: counted } }] : [],
    );
    if (repeated.length > 0) await this.#write(repeated);
  }

  async #write(refusals: readonly Refusal[]): Promise<void> {
    try {
      await this.#store.write(appendRefusals, { refusals, now: this.#clock.wall() });
    } catch (error) {
      this.#log.error("a refusal could not be audited", { error: toFailure(error).message });
    }
  }

  /** Who was refused follows from the credential; what a refused registration knows of itself comes as its cause. */
  #describe(request: Request, failure: Failure): Refusal {
    // What is no route is one object, whatever a stranger calls it.
    const object =
      failure.code === "not_found" ? "no route" : `${request.method} ${pathOf(request).slice(0, 256)}`;
    const cause = isObject(failure.cause as never)
      ? (failure.cause as unknown as Record<string, unknown>)
      : {};
    const reason = typeof cause["reason"] === "string" ? cause["reason"] : failure.message;
    const body = { code: failure.code, reason: reason.slice(0, 512) };
    if (typeof cause["tenantId"] === "string") {
      return { tenantId: cause["tenantId"], actor: `runner:${String(cause["runnerId"])}`, object, body };
    }
    const token = /^Bearer (\S{1,512})$/.exec(request.headers.get("authorization") ?? "")?.[1];
    const holder = token === undefined ? undefined : this.#store.read(holderOf, sha256(token));
    return holder === undefined
      ? { tenantId: NO_TENANT, actor: "unknown", object, body }
      : {
          tenantId: holder.tenant_id,
          actor: `runner:${holder.runner_id}`,
          object,
          body: { ...body, sessionId: holder.id },
        };
  }
}
