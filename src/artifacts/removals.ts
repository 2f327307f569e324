import { existsSync, linkSync, renameSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncDirectory } from "../base/files.ts";
import { randomToken } from "../base/ids.ts";
import type { Artifacts } from "./artifacts.ts";
import { syncAside } from "./sync-aside.ts";

/**
 * Bytes between their name and their end, in a directory of their own, where they can still be read and given back.
 * @param path where the bytes of a digest are
 */
export function removalsIn(
  removing: string,
  path: (sha256: string) => string,
): Pick<Artifacts, "beginRemoval" | "endRemoval" | "syncRemovals"> {
  /** Under their name again, unless they were stored anew, or given back by another process. */
  const giveBack = (aside: string, at: string): void => {
    try {
      linkSync(aside, at);
      syncDirectory(dirname(at));
    } catch (error) {
      if (!["EEXIST", "ENOENT"].includes((error as { code?: string }).code ?? "")) throw error;
    }
  };

  return {
    beginRemoval(sha256) {
      const aside = join(removing, sha256);
      try {
        renameSync(path(sha256), aside);
      } catch (error) {
        if ((error as { code?: string }).code !== "ENOENT") throw error;
      }
      const found = statSync(aside, { throwIfNoEntry: false });
      if (found === undefined) return null;
      return { size: found.size, touchedAt: Math.floor(found.mtimeMs), inode: found.ino };
    },
    async endRemoval(sha256, { inode }, verdict) {
      const aside = join(removing, sha256);
      if (verdict === "keep") {
        giveBack(aside, path(sha256));
        await rm(aside, { force: true });
        return;
      }
      const isMine = (at: string) => statSync(at, { throwIfNoEntry: false })?.ino === inode;
      if (!isMine(aside)) return;
      // A name of its own: what another process takes away meanwhile is never removed in its place.
      const gone = `${aside}.${randomToken(6)}`;
      renameSync(aside, gone);
      if (!isMine(gone)) giveBack(gone, path(sha256));
      // Large files take their time to go.
      await rm(gone, { force: true });
    },
    async syncRemovals(digests) {
      const shards = new Set(digests.map((sha256) => dirname(path(sha256))));
      await Promise.all([removing, ...shards].filter((each) => existsSync(each)).map(syncAside));
    },
  };
}
