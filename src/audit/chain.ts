import { sha256 } from "../base/canonical.ts";

/** An entry as it is stored: `body` is the text that was hashed. Times are milliseconds UTC. */
export interface ChainRow {
  readonly seq: number;
  readonly ts: number;
  readonly actor: string;
  readonly action: string;
  readonly object: string;
  readonly body: string;
  readonly previous_hash: string;
  readonly hash: string;
}

/** Where a chain, or a checked part of it, stands: the last entry's number and hash. */
export interface ChainEnd {
  readonly seq: number;
  readonly hash: string;
}

export const CHAIN_START: ChainEnd = { seq: 0, hash: "" };

/** The hash of an entry covers the entry and the hash before it. */
export const hashOf = (row: Omit<ChainRow, "hash">): string =>
  sha256(JSON.stringify([row.previous_hash, row.seq, row.ts, row.actor, row.action, row.object, row.body]));

/**
 * Go on along a chain.
 * @returns the new end, or the number at which the first entry is changed, missing or out of place
 */
export function follow(
  from: ChainEnd,
  rows: readonly ChainRow[],
): { end: ChainEnd; brokenAt: number | null } {
  let end = from;
  for (const { hash, ...row } of rows) {
    const expected = end.seq + 1;
    if (row.seq !== expected || row.previous_hash !== end.hash || hashOf(row) !== hash) {
      return { end, brokenAt: expected };
    }
    end = { seq: row.seq, hash };
  }
  return { end, brokenAt: null };
}
