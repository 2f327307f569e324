/**
 * Whose turn it is: tenants take turns in proportion to their weights, by stride scheduling. A tenant that was away
 * begins level with the others, so nobody saves turns up.
 */
export class FairOrder {
  /** How far each tenant has come: each turn moves it on by one over its weight. */
  readonly #passes = new Map<string, number>();

  /** The items in the order of their turns; those of one tenant keep theirs. */
  arrange<Item>(
    items: readonly Item[],
    tenantOf: (item: Item) => string,
    weightOf: (tenant: string) => number,
  ): Item[] {
    const queues = new Map<string, Item[]>();
    for (const item of items) {
      const tenant = tenantOf(item);
      const queue = queues.get(tenant);
      if (queue === undefined) queues.set(tenant, [item]);
      else queue.push(item);
    }
    if (queues.size < 2) return [...items];
    const level = this.#level(queues.keys());
    const lanes = [...queues].map(([tenant, queue]) => ({
      queue,
      next: 0,
      pass: Math.max(level, this.#passes.get(tenant) ?? level),
      stride: 1 / weightOf(tenant),
    }));
    const arranged: Item[] = [];
    while (arranged.length < items.length) {
      let first = lanes[0]!;
      for (const lane of lanes) {
        if (lane.next < lane.queue.length && (first.next === first.queue.length || lane.pass < first.pass)) {
          first = lane;
        }
      }
      arranged.push(first.queue[first.next++]!);
      first.pass += first.stride;
    }
    return arranged;
  }

  /** A tenant had its turn. */
  served(tenant: string, weight: number): void {
    if (this.#passes.size > 10_000) this.#passes.clear();
    this.#passes.set(tenant, (this.#passes.get(tenant) ?? this.#level(this.#passes.keys())) + 1 / weight);
  }

  #level(tenants: Iterable<string>): number {
    let level = Number.POSITIVE_INFINITY;
    for (const tenant of tenants) level = Math.min(level, this.#passes.get(tenant) ?? level);
    return Number.isFinite(level) ? level : 0;
  }
}
