import { canonicalJson, sha256 } from "../../src/base/canonical.ts";
import { type Clock, isoTime } from "../../src/base/clock.ts";
import type { Json } from "../../src/base/json.ts";
import type { AuditRow, ExchangeStore } from "./store/store.ts";

export const AUDIT_EVENTS = [
  "staged",
  "queued",
  "drained",
  "error",
  "denied",
  "duplicate",
  "cancelled",
  "configured",
  "control",
  "tool_call",
  "interrupted",
] as const;
export type AuditEvent = (typeof AUDIT_EVENTS)[number];

export interface AuditFacts {
  readonly event: AuditEvent;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly name?: string;
  readonly surface?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly tool?: string;
  readonly decision?: string;
  readonly fingerprint?: string;
  readonly latencyMs?: number;
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  readonly error?: string;
}

/**
 * The audit log: one JSON line an event, each with the SHA-256 over the previous line's hash and its own canonical
 * text, so that a removed or changed line is found by `verifyChain`. Rows are written in the transaction of what they
 * report.
 */
export class Audit {
  readonly #store: ExchangeStore;
  readonly #clock: Clock;
  readonly #changed: (path: string) => void;
  readonly #slices = new Map<number, { bytes: number; time: number }>();
  readonly counts = new Map<string, number>();
  usage = { input: 0, output: 0 };
  #seq = 0;
  #hash = "0".repeat(64);
  #bytes = 0;
  #time: number;

  constructor(store: ExchangeStore, clock: Clock, changed: (path: string) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#changed = changed;
    this.#time = clock.wall();
    const last = store.lastAudit();
    if (last !== null) {
      this.#seq = last.seq;
      this.#hash = last.hash;
      this.#bytes = last.start + last.bytes;
      this.#time = last.time;
    }
    for (const { uid, bytes, time } of store.auditTotals()) this.#slices.set(uid, { bytes, time });
    for (const { event, count, input, output } of store.auditCounts()) {
      this.counts.set(event, count);
      this.usage.input += input;
      this.usage.output += output;
    }
  }

  add(facts: AuditFacts): void {
    const time = this.#clock.wall();
    const body: Record<string, Json> = {
      seq: this.#seq + 1,
      ts: isoTime(time),
      event: facts.event,
      name: facts.name ?? "",
      format: facts.surface ?? "",
      host_uid: facts.uid,
      host_gid: facts.gid,
      host_pid: facts.pid,
      previous: this.#hash,
    };
    const optional: [string, Json | undefined][] = [
      ["provider", facts.provider],
      ["model", facts.model],
      ["tool", facts.tool],
      ["decision", facts.decision],
      ["fingerprint", facts.fingerprint],
      ["latency_ms", facts.latencyMs],
      ["input_tok", facts.inputTokens],
      ["output_tok", facts.outputTokens],
      ["error", facts.error],
    ];
    for (const [key, value] of optional) if (value !== undefined) body[key] = value;
    const hash = chainHash(body);
    const line = `${JSON.stringify({ ...body, hash })}\n`;
    const slice = this.#slices.get(facts.uid) ?? { bytes: 0, time };
    const row: AuditRow = {
      seq: ++this.#seq,
      uid: facts.uid,
      start: this.#bytes,
      uidStart: slice.bytes,
      bytes: Buffer.byteLength(line),
      time,
      line,
      hash,
    };
    this.#store.addAudit(row);
    this.#bytes += row.bytes;
    this.#hash = hash;
    this.#time = time;
    this.#slices.set(facts.uid, { bytes: slice.bytes + row.bytes, time });
    this.#count(facts.event, facts.inputTokens ?? 0, facts.outputTokens ?? 0);
    this.#changed("audit/events.jsonl");
    this.#changed(`home/${facts.uid}/audit/events.jsonl`);
  }

  #count(event: string, input: number, output: number): void {
    this.counts.set(event, (this.counts.get(event) ?? 0) + 1);
    this.usage.input += input;
    this.usage.output += output;
  }

  bytes(uid?: number): number {
    return uid === undefined ? this.#bytes : (this.#slices.get(uid)?.bytes ?? 0);
  }

  time(uid?: number): number {
    return uid === undefined ? this.#time : (this.#slices.get(uid)?.time ?? this.#time);
  }

  read(uid: number | undefined, offset: number, size: number): Uint8Array {
    return this.#store.readAudit(uid, offset, size);
  }
}

/** SHA-256 over the canonical text of a row without its own `hash`; it holds the previous hash already. */
function chainHash(body: Record<string, Json>): string {
  return sha256(canonicalJson(body));
}

/** The number of the first line whose chain does not hold, or undefined if all hold. Lines as in `events.jsonl`. */
export function verifyChain(text: string): number | undefined {
  let previous = "0".repeat(64);
  const lines = text.split("\n").filter((line) => line !== "");
  for (const [index, line] of lines.entries()) {
    const { hash, ...body } = JSON.parse(line) as Record<string, Json>;
    if (body["previous"] !== previous || chainHash(body) !== hash) return index + 1;
    previous = hash as string;
  }
  return undefined;
}
