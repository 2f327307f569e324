/** How many requests a provider answers at once; the others wait in the order of their commits. */
export class Slots {
  readonly #used = new Map<string, number>();
  readonly #queues = new Map<string, ((release: () => void) => void)[]>();

  isFree(provider: string, limit: number): boolean {
    return (this.#used.get(provider) ?? 0) < limit;
  }

  /** Settles with the function that gives the slot back. */
  take(provider: string, limit: number): Promise<() => void> {
    if (this.isFree(provider, limit)) {
      this.#used.set(provider, (this.#used.get(provider) ?? 0) + 1);
      return Promise.resolve(this.#release(provider));
    }
    return new Promise((resolve) => {
      const queue = this.#queues.get(provider) ?? [];
      this.#queues.set(provider, queue);
      queue.push(resolve);
    });
  }

  waiting(): number {
    let count = 0;
    for (const queue of this.#queues.values()) count += queue.length;
    return count;
  }

  #release(provider: string): () => void {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      // The slot passes on without becoming free in between.
      const next = this.#queues.get(provider)?.shift();
      if (next !== undefined) next(this.#release(provider));
      else this.#used.set(provider, (this.#used.get(provider) ?? 1) - 1);
    };
  }
}
