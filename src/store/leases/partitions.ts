import type { Transaction } from "../operation.ts";
import { type Requirement, requirementOf } from "./admission.ts";

export interface QueuedRow {
  id: string;
  instance_id: string;
  step_id: string;
  reference: string;
  policy_digest: string;
  payload: string;
  attempts: number;
  priority: number;
  created_at: number;
  effect_id: string;
  requirement: number;
  template: string | null;
  approval: string | null;
  concurrency_key: string | null;
}

export const QUEUED =
  "id, instance_id, step_id, reference, policy_digest, payload, attempts, priority, created_at, effect_id, requirement, template, approval, concurrency_key";

/** Tasks that ask the same of a runner, in the order in which they are due; read in pages as they are handed out. */
export class Partition {
  readonly id: number;
  readonly tenant_id: string;
  readonly requirement: Requirement;
  readonly #tx: Transaction;
  readonly #now: number;
  readonly #page: number;
  #rows: QueuedRow[] = [];
  #at = 0;
  #dry = false;

  constructor(
    tx: Transaction,
    row: { id: number; tenant_id: string; body: string },
    options: { now: number; page: number },
  ) {
    this.#tx = tx;
    this.id = row.id;
    this.tenant_id = row.tenant_id;
    this.requirement = requirementOf(row.body);
    this.#now = options.now;
    this.#page = options.page;
  }

  /** Nothing of it is due any more. */
  get dry(): boolean {
    return this.#dry;
  }

  /** The task that is due first, or null. */
  head(): QueuedRow | null {
    if (this.#at === this.#rows.length && !this.#dry) this.#read();
    return this.#rows[this.#at] ?? null;
  }

  /** The head was given away, and its row says so. */
  take(): void {
    this.#at++;
  }

  #read(): void {
    // The partition's number stands in the text: with a bound one SQLite plans the ordered look-up anew each time.
    this.#rows = this.#tx.all<QueuedRow>(
      `SELECT ${QUEUED} FROM request
       WHERE requirement = ${Number(this.id)} AND state = 'pending' AND not_before <= ? ORDER BY priority DESC, created_at, id LIMIT ?`,
      this.#now,
      this.#page,
    );
    this.#at = 0;
    this.#dry = this.#rows.length === 0;
  }
}

/**
 * The queue's partitions that hold something. Found by leaping through the queue's own index, so that those which were
 * used once and are empty cost nothing.
 */
export function pendingPartitions(tx: Transaction, options: { now: number; page: number }): Partition[] {
  return tx
    .all<{ id: number; tenant_id: string; body: string }>(
      `WITH RECURSIVE filled (id) AS (
         SELECT min(requirement) FROM request WHERE state = 'pending'
         UNION ALL
         SELECT (SELECT min(requirement) FROM request WHERE state = 'pending' AND requirement > filled.id) FROM filled WHERE filled.id IS NOT NULL)
       SELECT requirement.id, requirement.tenant_id, requirement.body FROM filled JOIN requirement ON requirement.id = filled.id`,
    )
    .map((row) => new Partition(tx, row, options));
}
