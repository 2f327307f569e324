import { Database } from "bun:sqlite";
import { dirname } from "node:path";
import { makePrivateDirectory } from "../base/files.ts";
import { isBusy } from "./sqlite/open.ts";

/** A database that nothing refers to is closed by the collector, and its lock goes with it. */
const held = new Set<Database>();

/**
 * A lock that the kernel takes back when its process dies, however it dies: an exclusive transaction on a database of
 * its own. @returns a function that lets go, or null while another process holds it
 */
export function tryLock(path: string): (() => void) | null {
  makePrivateDirectory(dirname(path));
  const db = new Database(path, { create: true });
  try {
    db.run("PRAGMA locking_mode = EXCLUSIVE");
    db.run("BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    if (isBusy(error)) return null;
    throw error;
  }
  held.add(db);
  return () => {
    held.delete(db);
    db.run("ROLLBACK");
    db.close();
  };
}
