import type { Artifacts } from "../../artifacts/index.ts";
import { LIMITS } from "../../base/limits.ts";
import type { Operation, Query, Reading } from "../operation.ts";
import { readSetting, writeSettingOnce } from "../setting.ts";
import type { Store } from "../store.ts";
import { giveUp } from "./expire.ts";
import { isWanted } from "./over.ts";
import { isArriving } from "./removals.ts";

/**
 * From when on the store knows of all bytes that came. Older ones may be named by the store that stood in its place, which
 * somebody may bring back; a restored store begins anew.
 */
export const JUDGED_FROM = "artifacts.judged_from";

interface Bytes {
  sha256: string;
  touchedAt: number;
}

/** Files that are looked at in one turn of the event loop. */
const PAGE = 64;

/**
 * Look at some of the stored bytes, and write down to go those that came more than a day ago and that nothing names: of an
 * upload that was never noted. A sweep then removes them as it does all others, with the same looks at what still arrives.
 * @param after where the last look ended
 * @returns where to go on, or null at the end
 */
export async function noteOrphans(
  { store, artifacts, now }: { store: Pick<Store, "read" | "write">; artifacts: Artifacts; now: number },
  after: string,
  limit: number,
): Promise<string | null> {
  const known = store.read(readSetting, JUDGED_FROM);
  const from = Number(known ?? (await store.write(writeSettingOnce, { key: JUDGED_FROM, value: `${now}` })));
  let at: string | null = after;
  for (let left = limit; left > 0 && at !== null; left -= PAGE) {
    const page = artifacts.page(at, Math.min(PAGE, left));
    at = page.after;
    const old = page.bytes.filter(({ touchedAt }) => touchedAt >= from && touchedAt < now - LIMITS.uploadMs);
    const bytes = old.length === 0 ? [] : store.read(unnamed, { bytes: old });
    if (bytes.length > 0) await store.write(giveUpUnnamed, { bytes, now });
    await new Promise((resolve) => setImmediate(resolve));
  }
  return at;
}

const isUnnamed = (tx: Pick<Reading, "get">, { sha256, touchedAt }: Bytes): boolean =>
  !isWanted(tx, sha256) &&
  !isArriving(tx, touchedAt) &&
  tx.get("SELECT 1 FROM mentioned_digest WHERE sha256 = ?", sha256) === undefined;

const unnamed: Query<{ bytes: readonly Bytes[] }, Bytes[]> = (tx, { bytes }) =>
  bytes.filter((each) => isUnnamed(tx, each));

/** As a view has it is not enough: what was named in between stays. */
const giveUpUnnamed: Operation<{ bytes: readonly Bytes[]; now: number }, void> = (tx, { bytes, now }) => {
  for (const each of bytes) if (isUnnamed(tx, each)) giveUp(tx, each.sha256, now);
};
