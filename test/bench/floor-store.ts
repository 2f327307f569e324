import { Database } from "bun:sqlite";

/**
 * What every floor with a database does: one file, one writer, and one durable commit for all that comes in a turn of the
 * event loop, at synchronous=FULL.
 */
export function openFloor(path: string): { db: Database; commit<Value>(work: () => Value): Promise<Value> } {
  const db = new Database(path, { create: true, strict: true });
  db.run("PRAGMA journal_mode = WAL");
  db.run("PRAGMA synchronous = FULL");
  let queue: { work: () => unknown; done: (value: never) => void }[] = [];
  return {
    db,
    commit: (work) =>
      new Promise((done) => {
        if (queue.push({ work, done }) > 1) return;
        setImmediate(() => {
          const batch = queue;
          queue = [];
          db.run("BEGIN IMMEDIATE");
          const values = batch.map((job) => job.work());
          db.run("COMMIT");
          for (const [at, job] of batch.entries()) job.done(values[at] as never);
        });
      }),
  };
}
