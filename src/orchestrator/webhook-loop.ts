import type { Clock } from "../base/clock.ts";
import { coalesce } from "../base/coalesce.ts";
import { toFailure } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { guardedFetch } from "../calls/destination/fetch.ts";
import type { CallContext } from "../calls/index.ts";
import type { Secrets } from "../secrets/index.ts";
import {
  claimDeliveries,
  type DueDelivery,
  nextDelivery,
  type Store,
  settleDelivery,
} from "../store/index.ts";

const BATCH = 16;
/** An address that takes longer to answer has not answered. */
const TIMEOUT_MS = 15_000;
/** A delivery that was taken and not settled is due again after this: its process is gone. */
const CLAIM_MS = 60_000;
/** After the first attempt and each further one, in seconds: about three days in all. */
const PAUSES = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 57_600, 86_400, 86_400];
const LONGEST_SLEEP_MS = 60_000;

/**
 * The headers of Standard Webhooks: the receiver computes the same signature over `id.timestamp.body`, refuses an old
 * timestamp, and knows a repeat by its id.
 */
function signedHeaders(secret: string, id: string, seconds: number, body: string): Record<string, string> {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const signature = new Bun.CryptoHasher("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64");
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(seconds),
    "webhook-signature": `v1,${signature}`,
  };
}

/** Delivers what stands in the outbox, again and again until it is taken or too old. */
export class WebhookLoop {
  readonly #unlisten: () => void;
  readonly #stopping = new AbortController();
  readonly #work: () => void;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    readonly needs: { readonly store: Store; readonly clock: Clock; readonly log: Log },
    readonly secrets: Secrets | undefined,
    readonly context: (signal: AbortSignal) => CallContext,
  ) {
    this.#work = coalesce(() => this.#deliverDue());
    this.#unlisten = needs.store.listen((topic) => {
      if (topic === "webhook") this.#work();
    });
    this.#work();
  }

  stop(): void {
    this.#stopping.abort();
    this.#unlisten();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #deliverDue(): Promise<void> {
    const { store, clock, log } = this.needs;
    try {
      for (;;) {
        const next = store.read(nextDelivery, null);
        const now = clock.wall();
        if (this.#stopping.signal.aborted) return;
        if (next === null || next > now) {
          this.#sleep(next === null ? LONGEST_SLEEP_MS : next - now);
          return;
        }
        const due = await store.write(claimDeliveries, { now, until: now + CLAIM_MS, limit: BATCH });
        await Promise.all(due.map((each) => this.#deliver(each)));
      }
    } catch (error) {
      log.error("webhooks could not be delivered", { error: String(error) });
      this.#sleep(1000);
    }
  }

  #sleep(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#work, Math.min(ms, LONGEST_SLEEP_MS));
  }

  async #deliver(due: DueDelivery): Promise<void> {
    const { store, clock } = this.needs;
    let delivered = false;
    let outcome: string;
    try {
      const status = await this.#send(due);
      delivered = status >= 200 && status < 300;
      outcome = `answered ${status}`;
    } catch (error) {
      outcome = toFailure(error).message.slice(0, 256);
    }
    // A stop in between is no refusal: the claim runs out, and the next process delivers it under the same id.
    if (this.#stopping.signal.aborted) return;
    const pause = PAUSES[due.attempts - 1];
    const retryAt = pause === undefined ? null : clock.wall() + pause * 1000 * (0.9 + Math.random() * 0.2);
    const settled = {
      id: due.id,
      delivered,
      outcome,
      retryAt: retryAt === null ? null : Math.round(retryAt),
    };
    await store.write(settleDelivery, delivered ? { ...settled, retryAt: null } : settled);
  }

  async #send(due: DueDelivery): Promise<number> {
    const secret = this.secrets?.resolve(due.tenant_id, `webhook.${due.webhook_id}`);
    if (typeof secret !== "string") throw new Error("its signing secret is gone");
    const { clock } = this.needs;
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const headers = signedHeaders(secret, due.id, Math.floor(clock.wall() / 1000), due.body);
    const response = await guardedFetch(
      new URL(due.url),
      { method: "POST", headers: new Headers(headers), body: due.body, isEffect: true },
      {
        ...this.context(signal),
        idempotencyKey: due.id,
        deadline: clock.monotonic() + TIMEOUT_MS,
        sent: "none",
        secrets: new Set([secret]),
      },
    );
    await response.body?.cancel();
    return response.status;
  }
}
