import { statfsSync } from "node:fs";

/** Below so many files that it may still have, a file system is as good as full. */
export const FEW_FILES = 1_024;

export interface Room {
  readonly bytes: number;
  /** Infinite where the file system does not count its files. */
  readonly files: number;
}

/** What is left for this user on the file system of a directory. @throws as `statfs` */
export function roomOf(directory: string): Room {
  const { bavail, bsize, files, ffree } = statfsSync(directory);
  return { bytes: bavail * bsize, files: files > 0 ? ffree : Number.POSITIVE_INFINITY };
}

/** Why a disk takes no new work, or null. What runs may use half of what is kept free. */
export function lackOf({ bytes, files }: Room, minimumFreeBytes: number): "space" | "files" | null {
  if (bytes < minimumFreeBytes) return "space";
  return files < 2 * FEW_FILES ? "files" : null;
}
