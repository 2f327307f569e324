import { LIMITS } from "../../base/limits.ts";

/** Tokens, nonces and discovered endpoints of one process, in memory alone. Keys never hold a secret. */
export interface TokenCache {
  get<T>(key: string): T | undefined;
  set(key: string, value: unknown): void;
  delete(key: string): void;
  /** Run `make` once for all who ask at the same time; a failure is only for the one who ran it. */
  once<T>(key: string, make: () => Promise<T>): Promise<T>;
}

export function createTokenCache(limit: number = LIMITS.callTokens): TokenCache {
  const values = new Map<string, unknown>();
  const running = new Map<string, Promise<unknown>>();
  return {
    get<T>(key: string): T | undefined {
      const value = values.get(key) as T | undefined;
      // Asked for again, so it goes to the end of the queue for removal.
      if (value !== undefined && values.delete(key)) values.set(key, value);
      return value;
    },
    set(key, value) {
      values.delete(key);
      values.set(key, value);
      if (values.size > limit) values.delete(values.keys().next().value!);
    },
    delete: (key) => void values.delete(key),
    async once<T>(key: string, make: () => Promise<T>): Promise<T> {
      const current = running.get(key) as Promise<T> | undefined;
      // Its failure may be its own: a call that was cancelled says nothing about this one.
      if (current !== undefined) return await current.catch(make);
      const mine = make().finally(() => running.delete(key));
      running.set(key, mine);
      return await mine;
    },
  };
}
