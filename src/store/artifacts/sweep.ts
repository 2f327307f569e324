import { existsSync } from "node:fs";
import type { Artifacts } from "../../artifacts/index.ts";
import { LIMITS } from "../../base/limits.ts";
import type { Store } from "../store.ts";
import { type DuePage, type DueReference, dueReferences, expireReferences } from "./expire.ts";
import { wouldGo } from "./over.ts";
import { expireQuarantined, isNotedQuarantine } from "./quarantine.ts";
import {
  decideRemovals,
  forgetRemovals,
  lastHolder,
  pendingRemovals,
  type RemovalRow,
  removalsOf,
  unwanted,
} from "./removals.ts";

export interface SweepOptions {
  store: Pick<Store, "read" | "write">;
  artifacts: Artifacts;
  /** Remove the spooled output of a lease's stream, `lease/stream`; nothing there is a success. */
  removeSpool(target: string): Promise<void>;
  now: number;
  /** Whose share is counted; the work is done for all of them. Without it everything is counted. */
  tenantId?: string;
  signal?: AbortSignal;
}

/** What one tenant gave up in this sweep, by digest and by the id of an upload. */
type Share = Set<string> | null;

export interface Swept {
  /** References that were given up. */
  expired: number;
  /** Artifacts whose bytes went, and how many bytes. */
  removed: number;
  bytes: number;
  /** Uploads that were set aside and are gone. */
  quarantined: number;
}

/** What one transaction decides on: the writer is held for about a millisecond. */
const BATCH = 64;

/**
 * Give up what policy keeps no longer, then remove the bytes that nothing needs. Whatever line a crash comes at, the next
 * sweep ends it: a reference is given up, on disk, before its bytes are touched, and the note of what has to go stays until
 * it is gone.
 */
export async function sweepArtifacts(options: SweepOptions): Promise<Swept> {
  const { store, now, signal } = options;
  const stopped = (): boolean => signal?.aborted === true;
  const swept: Swept = { expired: 0, removed: 0, bytes: 0, quarantined: 0 };
  const share: Share = options.tenantId === undefined ? null : new Set();
  const counts = (each: { tenant_id: string }) => share === null || each.tenant_id === options.tenantId;
  let after: DueReference | null = null;
  do {
    const page: DuePage = store.read(dueReferences, { now, tenantId: null, after, limit: BATCH });
    if (page.references.length > 0) {
      const given = await store.write(expireReferences, { references: page.references, now });
      const counted = given.filter(counts);
      swept.expired += counted.length;
      for (const { sha256 } of counted) share?.add(sha256);
      // Pages of what stays for now leave others their turn too.
    } else await new Promise((resolve) => setImmediate(resolve));
    after = page.after;
  } while (after !== null && !stopped());
  for (let full = true; full && !stopped(); ) {
    const given = await store.write(expireQuarantined, { now, limit: BATCH });
    for (const { id } of given.filter(counts)) share?.add(id);
    full = given.length === BATCH;
  }
  for (let at: { kind: string; target: string } | null = null; !stopped(); ) {
    const page: RemovalRow[] = store.read(pendingRemovals, { after: at, limit: BATCH });
    if (page.length === 0) break;
    at = page.at(-1)!;
    add(swept, await removeBatch(options, page, share));
  }
  const forgotten = await forgottenUploads(options);
  if (share === null) swept.quarantined += forgotten;
  options.artifacts.removeAborted();
  return swept;
}

/** Remove the bytes of digests that were given up, as far as nothing needs them. */
export async function removeDigests(options: SweepOptions, digests: readonly string[]): Promise<Swept> {
  const swept: Swept = { expired: 0, removed: 0, bytes: 0, quarantined: 0 };
  for (let at = 0; at < digests.length; at += BATCH) {
    const removals = options.store.read(removalsOf, { digests: digests.slice(at, at + BATCH) });
    add(swept, await removeBatch(options, removals, null));
  }
  return swept;
}

function add(sum: Swept, more: Swept): void {
  sum.removed += more.removed;
  sum.bytes += more.bytes;
  sum.quarantined += more.quarantined;
}

async function removeBatch(
  options: SweepOptions,
  removals: readonly RemovalRow[],
  share: Share,
): Promise<Swept> {
  const { store, artifacts, now } = options;
  // What an earlier sweep gave up and could not yet remove counts too.
  const counts = ({ target }: RemovalRow) =>
    share === null || share.has(target) || store.read(lastHolder, target) === options.tenantId;
  const swept: Swept = { expired: 0, removed: 0, bytes: 0, quarantined: 0 };
  const gone: RemovalRow[] = [];
  const wanted: RemovalRow[] = [];
  for (const removal of removals) {
    if (removal.kind === "artifact") continue;
    if (removal.kind === "spool") await options.removeSpool(removal.target);
    else if ((await artifacts.discard(removal.target)) && counts(removal)) swept.quarantined++;
    gone.push(removal);
  }
  const named = removals.filter(({ kind }) => kind === "artifact");
  const free = new Set(store.read(unwanted, { digests: named.map(({ target }) => target) }));
  // Also those that a process which died had taken away: bytes that are needed stand under their name.
  const begun = named.flatMap((removal) => {
    if (!free.has(removal.target) && existsSync(artifacts.path(removal.target))) {
      wanted.push(removal);
      return [];
    }
    const bytes = artifacts.beginRemoval(removal.target);
    if (bytes !== null) return [{ removal, bytes }];
    gone.push(removal);
    return [];
  });
  if (begun.length > 0) {
    const bytes = begun.map(({ removal, bytes }) => ({ sha256: removal.target, touchedAt: bytes.touchedAt }));
    const decided = await store.write(decideRemovals, { bytes });
    for (const [at, { removal, bytes }] of begun.entries()) {
      const verdict = decided[at]!;
      // Stored or kept after everything that named it: whoever did so is about to name it.
      const arriving =
        verdict === "arriving" ||
        (bytes.touchedAt > removal.named_at && now - bytes.touchedAt < LIMITS.uploadMs);
      const goes = verdict !== "needed" && !arriving;
      await artifacts.endRemoval(removal.target, bytes, goes ? "remove" : "keep");
      if (verdict === "needed") wanted.push(removal);
      if (!goes) continue;
      gone.push(removal);
      if (!counts(removal)) continue;
      swept.removed++;
      swept.bytes += bytes.size;
    }
    await artifacts.syncRemovals(begun.map(({ removal }) => removal.target));
  }
  // What others need stays, and the tenant has it no more: whether there are others is nothing that it may learn.
  for (const { target } of wanted.filter((each) => share?.has(each.target))) {
    const { tenantId = "" } = options;
    if (!store.read((tx, sha256) => wouldGo(tx, { tenantId, sha256, now }), target)) continue;
    swept.removed++;
    swept.bytes += artifacts.stat(target)?.size ?? 0;
  }
  if (gone.length + wanted.length > 0) await store.write(forgetRemovals, { gone, wanted });
  return swept;
}

/** Bytes in the quarantine that nobody noted: their process died in between. */
async function forgottenUploads({ store, artifacts, now }: SweepOptions): Promise<number> {
  const old = artifacts.quarantined().filter(({ since }) => since < now - LIMITS.quarantineMs);
  const forgotten = old.filter(({ id }) => !store.read(isNotedQuarantine, { id }));
  for (const { id } of forgotten) await artifacts.discard(id);
  return forgotten.length;
}
