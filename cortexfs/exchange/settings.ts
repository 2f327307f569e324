import type { Clock } from "../../src/base/clock.ts";
import type { ExchangeStore } from "./store/store.ts";

/**
 * Every value that somebody set through a file, by its path below the root: in memory for reading, in the store for
 * the next mount. A name exists when one of its values does.
 */
export class Settings {
  readonly #store: ExchangeStore;
  readonly #clock: Clock;
  readonly #values = new Map<string, { value: string; time: number }>();
  readonly #children = new Map<string, Map<string, number>>();
  readonly #changed: (path: string) => void;

  constructor(store: ExchangeStore, clock: Clock, changed: (path: string) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#changed = changed;
    for (const row of store.settings()) {
      this.#count(row.path, 1);
      this.#values.set(row.path, { value: row.value, time: row.time });
    }
  }

  get(path: string): string | undefined {
    return this.#values.get(path)?.value;
  }

  time(path: string): number | undefined {
    return this.#values.get(path)?.time;
  }

  /** The names right below a path, sorted. */
  children(path: string): string[] {
    return [...(this.#children.get(path)?.keys() ?? [])].sort();
  }

  hasChild(path: string, name: string): boolean {
    return this.#children.get(path)?.has(name) ?? false;
  }

  /** Take a value at once; settles when it is on the disk. */
  set(path: string, value: string): Promise<void> {
    this.put(path, value);
    return this.#store.durable();
  }

  /** Take a value, written with the next commit. */
  put(path: string, value: string): void {
    if (!this.#values.has(path)) this.#count(path, 1);
    const time = this.#clock.wall();
    this.#values.set(path, { value, time });
    this.#store.setSetting(path, value, time);
    this.#changed(path);
  }

  /** Remove a path and all below it. */
  remove(path: string): Promise<void> {
    for (const key of [...this.#values.keys()]) {
      if (key !== path && !key.startsWith(`${path}/`)) continue;
      this.#values.delete(key);
      this.#count(key, -1);
      this.#store.deleteSetting(key);
    }
    this.#changed(path);
    return this.#store.durable();
  }

  #count(path: string, by: 1 | -1): void {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const parent = path.slice(0, end);
      const rest = path.slice(end + 1);
      const next = rest.indexOf("/");
      const name = next < 0 ? rest : rest.slice(0, next);
      const names = this.#children.get(parent) ?? new Map<string, number>();
      const count = (names.get(name) ?? 0) + by;
      if (count > 0) names.set(name, count);
      else names.delete(name);
      this.#children.set(parent, names);
    }
  }
}
