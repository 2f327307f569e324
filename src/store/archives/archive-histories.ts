import { gzipSync } from "node:zlib";
import type { Artifacts } from "../../artifacts/index.ts";
import { isHeldRun } from "../runs/prune.ts";
import type { Store } from "../store.ts";
import { archiveHistory, listCandidates, readHistory } from "./archive.ts";

export interface ArchiveOptions {
  store: Pick<Store, "read" | "write">;
  artifacts: Artifacts;
  /** Runs that ended before this time. */
  endedBefore: number;
  now: number;
  signal?: AbortSignal;
}

const PAGE = 200;
/** Histories at once: each is a file of its own, and they share a commit. */
const AT_ONCE = 8;

/**
 * Move the histories of runs that ended long ago into artifacts, one each; they are read from there as before. A crash in
 * between leaves an artifact that nothing names and a history that is where it was.
 * @returns how many were moved, and their bytes there
 */
export async function archiveHistories(options: ArchiveOptions): Promise<{ moved: number; bytes: number }> {
  const { store, endedBefore, signal } = options;
  const stopped = (): boolean => signal?.aborted === true;
  let moved = 0;
  let bytes = 0;
  for (let after = 0; !stopped(); ) {
    const page = store.read(listCandidates, { after, limit: PAGE });
    if (page.length === 0) break;
    after = page.at(-1)!.rowid;
    const due = page.filter(
      ({ finished_at, archived }) => archived === 0 && finished_at !== null && finished_at < endedBefore,
    );
    for (let at = 0; at < due.length && !stopped(); at += AT_ONCE) {
      const sizes = await Promise.all(due.slice(at, at + AT_ONCE).map(({ id }) => archiveOne(options, id)));
      moved += sizes.filter((size) => size > 0).length;
      for (const size of sizes) bytes += size;
    }
  }
  return { moved, bytes };
}

/** @returns its bytes, 0 when it was not moved */
async function archiveOne({ store, artifacts, now }: ArchiveOptions, instanceId: string): Promise<number> {
  if (store.read(isHeldRun, instanceId)) return 0;
  const history = store.read(readHistory, instanceId);
  const { sha256, size } = await artifacts.put(gzipSync(JSON.stringify(history)));
  const moved = await store.write(archiveHistory, {
    instanceId,
    sha256,
    size,
    inputs: history.inputs.length,
    lastEvent: history.events.at(-1)?.last_seq ?? 0,
    now,
  });
  return moved ? size : 0;
}
