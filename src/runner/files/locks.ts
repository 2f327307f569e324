interface Line {
  /** Readers that hold it, or -1 for its one writer. */
  held: number;
  readonly waiting: { readonly shared: boolean; readonly enter: () => void }[];
}

/** One writer or many readers of each name, in the order in which they came: a writer is not starved by readers. */
export class KeyedLocks {
  readonly #lines = new Map<string, Line>();

  /** @returns what gives it back, once however often it is called */
  async take(key: string, shared: boolean): Promise<() => void> {
    const line = this.#lines.get(key) ?? { held: 0, waiting: [] };
    this.#lines.set(key, line);
    await new Promise<void>((enter) => {
      line.waiting.push({ shared, enter });
      this.#admit(key, line);
    });
    let given = false;
    return () => {
      if (given) return;
      given = true;
      line.held = line.held === -1 ? 0 : line.held - 1;
      this.#admit(key, line);
    };
  }

  /** Whether somebody holds it or waits for it. */
  has(key: string): boolean {
    return this.#lines.has(key);
  }

  #admit(key: string, line: Line): void {
    for (;;) {
      const next = line.waiting[0];
      if (next === undefined || line.held === -1 || (!next.shared && line.held > 0)) break;
      line.waiting.shift();
      line.held = next.shared ? line.held + 1 : -1;
      next.enter();
    }
    if (line.held === 0 && line.waiting.length === 0) this.#lines.delete(key);
  }
}
