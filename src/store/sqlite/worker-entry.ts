import { Database } from "bun:sqlite";

declare const self: Worker;

/** The thread of a {@link ./checkpointer.ts Checkpointer}: gets the path of a store, copies its log, and says so. */
self.onmessage = ({ data: path }: MessageEvent<string>) => {
  const db = new Database(path, { readwrite: true });
  try {
    db.run("PRAGMA synchronous = NORMAL");
    db.run("PRAGMA wal_checkpoint(PASSIVE)");
  } finally {
    db.close();
  }
  self.postMessage(null);
};
