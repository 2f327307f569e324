import type { Operation, Query } from "./operation.ts";

export const readSetting: Query<string, string | null> = (tx, key) =>
  tx.get<{ value: string }>("SELECT value FROM setting WHERE key = ?", key)?.value ?? null;

/** Store a value unless there is one. @returns the value that stands */
export const writeSettingOnce: Operation<{ key: string; value: string }, string> = (tx, { key, value }) => {
  tx.run("INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING", key, value);
  return readSetting(tx, key)!;
};
