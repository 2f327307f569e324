import type { Reading } from "../operation.ts";

/** What decides whether a reference to bytes still counts. */
export interface Reference {
  tenant_id: string;
  sha256: string;
  /** The run that handed them over, null for those that were handed in. */
  instance_id: string | null;
  /** Its lease, or the effect whose output came from another run. */
  lease_id: string | null;
  expires_at: number | null;
  expired_at: number | null;
}

type Reader = Pick<Reading, "get">;

/** Whether a standing hold of its tenant names the digest or its run. */
const isHeld = (
  tx: Reader,
  { tenant_id, sha256, instance_id }: Pick<Reference, "tenant_id" | "sha256" | "instance_id">,
): boolean => hasHold(tx, tenant_id, sha256) || (instance_id !== null && hasHold(tx, tenant_id, instance_id));

/** @param target a digest or an instance */
const hasHold = (tx: Reader, tenantId: string, target: string): boolean =>
  tx.get(
    "SELECT 1 FROM legal_hold WHERE target = ? AND tenant_id = ? AND released_at IS NULL",
    target,
    tenantId,
  ) !== undefined;

/**
 * Whether a reference's time is over: its policy's time has passed, its run has ended, and no hold keeps it. One that was
 * given up stays so.
 */
export function isOver(tx: Reader, reference: Reference, now: number): boolean {
  if (reference.expired_at !== null) return true;
  if (reference.expires_at === null || reference.expires_at > now) return false;
  return hasEnded(tx, reference.instance_id) && !isHeld(tx, reference);
}

const hasEnded = (tx: Reader, instanceId: string | null): boolean =>
  instanceId === null ||
  tx.get<{ finished_at: number | null }>("SELECT finished_at FROM instance WHERE id = ?", instanceId)
    ?.finished_at !== null;

const has = (tx: Reader, sha256: string, statements: readonly string[]): boolean =>
  statements.some((statement) => tx.get(statement, sha256) !== undefined);

/** Whether bytes are needed by something that no retention ends. */
const isNeededOtherwise = (tx: Reader, sha256: string): boolean =>
  has(tx, sha256, [
    "SELECT 1 FROM history_archive WHERE sha256 = ? LIMIT 1",
    "SELECT 1 FROM approval_artifact WHERE sha256 = ? LIMIT 1",
    "SELECT 1 FROM audit_archive WHERE sha256 = ? LIMIT 1",
    "SELECT 1 FROM legal_hold WHERE target = ? AND released_at IS NULL LIMIT 1",
  ]);

/** The same of one tenant's things alone. */
const isNeededOtherwiseOf = (tx: Reader, sha256: string, tenantId: string): boolean =>
  [
    "SELECT 1 FROM history_archive JOIN instance ON id = instance_id WHERE sha256 = ? AND tenant_id = ? LIMIT 1",
    "SELECT 1 FROM approval_artifact JOIN approval ON id = approval_id WHERE sha256 = ? AND tenant_id = ? LIMIT 1",
    "SELECT 1 FROM audit_archive WHERE sha256 = ? AND tenant_id = ?",
  ].some((statement) => tx.get(statement, sha256, tenantId) !== undefined) || hasHold(tx, tenantId, sha256);

/** Whether anything in the store still needs the bytes of a digest, whoever's they are. */
export const isWanted = (tx: Reader, sha256: string): boolean =>
  has(tx, sha256, [
    "SELECT 1 FROM artifact WHERE sha256 = ? AND expired_at IS NULL LIMIT 1",
    "SELECT 1 FROM upload WHERE sha256 = ? AND expired_at IS NULL LIMIT 1",
  ]) || isNeededOtherwise(tx, sha256);

/**
 * Whether a tenant would need the bytes of a digest no more if everything whose time is over were given up now. Whether
 * others have the same bytes is nothing that it may learn.
 */
export function wouldGo(
  tx: Reading,
  { tenantId, sha256, now }: { tenantId: string; sha256: string; now: number },
): boolean {
  const live = tx.all<Reference>(
    `SELECT tenant_id, sha256, instance_id, lease_id, expires_at, expired_at FROM artifact
       WHERE sha256 = ?1 AND tenant_id = ?2 AND expired_at IS NULL
     UNION ALL SELECT tenant_id, sha256, NULL, NULL, expires_at, expired_at FROM upload
       WHERE sha256 = ?1 AND tenant_id = ?2 AND expired_at IS NULL`,
    sha256,
    tenantId,
  );
  return live.every((reference) => isOver(tx, reference, now)) && !isNeededOtherwiseOf(tx, sha256, tenantId);
}
