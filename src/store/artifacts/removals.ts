import type { Operation, Query, Reading } from "../operation.ts";
import { isWanted } from "./over.ts";

export interface RemovalRow {
  kind: "artifact" | "spool" | "quarantine";
  target: string;
  named_at: number;
}

/** What was given up and may still be there, a page at a time. */
export const pendingRemovals: Query<
  { after: { kind: string; target: string } | null; limit: number },
  RemovalRow[]
> = (tx, { after, limit }) =>
  tx.all<RemovalRow>(
    "SELECT kind, target, named_at FROM removal WHERE (kind, target) > (?, ?) ORDER BY kind, target LIMIT ?",
    after?.kind ?? "",
    after?.target ?? "",
    limit,
  );

/** Those of some digests that are written down to go. */
export const removalsOf: Query<{ digests: readonly string[] }, RemovalRow[]> = (tx, { digests }) =>
  digests.flatMap((sha256) =>
    tx.all<RemovalRow>(
      "SELECT kind, target, named_at FROM removal WHERE kind = 'artifact' AND target = ?",
      sha256,
    ),
  );

/** The tenant that gave a digest up last. */
export const lastHolder: Query<string, string | undefined> = (tx, sha256) =>
  tx.get<{ tenant_id: string }>(
    `SELECT tenant_id FROM (SELECT tenant_id, expired_at FROM artifact WHERE sha256 = ?1
       UNION ALL SELECT tenant_id, expired_at FROM upload WHERE sha256 = ?1) ORDER BY expired_at DESC LIMIT 1`,
    sha256,
  )?.tenant_id;

/** Which digests nothing needs, as a view has it: a first look that leaves what is wanted where it is. */
export const unwanted: Query<{ digests: readonly string[] }, string[]> = (tx, { digests }) =>
  digests.filter((sha256) => !isWanted(tx, sha256));

/** Whether a task still runs that was running when bytes came, and may be about to name them. */
export const isArriving = (tx: Pick<Reading, "get">, touchedAt: number): boolean =>
  tx.get("SELECT 1 FROM lease WHERE state IN ('leased', 'started') AND issued_at <= ? LIMIT 1", touchedAt) !==
  undefined;

/** `arriving`: a task that was running when the bytes came still runs, and may be about to name them. */
export type Verdict = "needed" | "arriving" | "free";

/**
 * The same, decided between all commits: from here on a digest is named again only by whoever stores or keeps its bytes
 * anew, since no row that names it is left to be copied.
 */
export const decideRemovals: Operation<
  { bytes: readonly { sha256: string; touchedAt: number }[] },
  Verdict[]
> = (tx, { bytes }) =>
  bytes.map(({ sha256, touchedAt }) => {
    if (isWanted(tx, sha256)) return "needed";
    return isArriving(tx, touchedAt) ? "arriving" : "free";
  });

/**
 * What is gone needs no note, and neither does what is wanted after all, as long as it is.
 * @param input.gone their bytes are not there any more
 */
export const forgetRemovals: Operation<
  { gone: readonly RemovalRow[]; wanted: readonly RemovalRow[] },
  void
> = (tx, { gone, wanted }) => {
  const kept = wanted.filter(({ target }) => isWanted(tx, target));
  for (const { kind, target, named_at } of [...gone, ...kept]) {
    // Given up once more meanwhile: that is for the next time.
    tx.run("DELETE FROM removal WHERE kind = ? AND target = ? AND named_at = ?", kind, target, named_at);
  }
};
