import { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { noted, openScene, type Scene, sweepSteps } from "../../../test/support/sweep-scene.ts";
import { sha256 } from "../../base/canonical.ts";
import { LIMITS } from "../../base/limits.ts";
import { backupStore, restoreStore } from "../maintenance.ts";
import type { Transaction } from "../operation.ts";
import { noteOrphans } from "./orphans.ts";
import { pendingRemovals } from "./removals.ts";

const DAY_MS = LIMITS.uploadMs;
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

interface Place extends Scene {
  directory: string;
  /** Store bytes as of so long ago. @returns their digest */
  put(text: string, ageMs: number): Promise<string>;
  isHere(digest: string): boolean;
  look(): Promise<string[]>;
}

async function place(): Promise<Place> {
  const directory = mkdtempSync(join(tmpdir(), "orphans-"));
  const scene = openScene(directory);
  closers.push(async () => {
    await scene.store.close();
    rmSync(directory, { recursive: true });
  });
  const { store, artifacts, now } = scene;
  const made: Place = {
    ...scene,
    directory,
    async put(text, ageMs) {
      const stored = await artifacts.put(Buffer.from(text));
      const seconds = (now - ageMs) / 1000;
      utimesSync(artifacts.path(stored.sha256), seconds, seconds);
      return stored.sha256;
    },
    isHere: (digest) => existsSync(artifacts.path(digest)),
    async look() {
      for (let at: string | null = ""; at !== null; ) at = await noteOrphans(scene, at, 100);
      return store.read(pendingRemovals, { after: null, limit: 1000 }).map(({ target }) => target);
    },
  };
  // The store has stood for a month.
  await noteOrphans({ store, artifacts, now: now - 30 * DAY_MS }, "", 1);
  return made;
}

/** A lease that began so long ago, with nothing of its run. */
function lease({ directory, now }: Place, state: string, ageMs: number): void {
  // A connection of its own looks at no foreign keys.
  const db = new Database(join(directory, "store.db"));
  db.run(
    `INSERT INTO lease (id, request_id, instance_id, tenant_id, runner_id, session_id, attempt, fence, state, claim_message_id,
       issued_at, expires_at, deadline_at) VALUES ('l', 'r', 'i', 'a', 'u', 's', 1, 1, ?, 'c', ?, ?, ?)`,
    [state, now - ageMs, now, now],
  );
  db.close();
}

test("bytes that nothing ever named go a day after they came; what is named, or new, or of an older store stays", async () => {
  const here = await place();
  const orphan = await here.put("never noted", DAY_MS + 1000);
  const young = await here.put("on its way", DAY_MS - 60_000);
  const older = await here.put("before this store", 31 * DAY_MS);
  const named = await here.put("noted", 2 * DAY_MS);
  await noted(here.store, { tenantId: "a", sha256: named, size: 5, retentionMs: null });
  const mentioned = await here.put("of a pruned run", 2 * DAY_MS);
  await here.store.write(
    (tx: Transaction) => tx.run("INSERT INTO mentioned_digest (sha256) VALUES (?)", mentioned),
    null,
  );
  expect(await here.look()).toEqual([orphan]);
  expect(await sweepSteps(here, () => {})).toEqual({ expired: 0, removed: 1, bytes: 11, quarantined: 0 });
  expect([orphan, young, older, named, mentioned].map(here.isHere)).toEqual([false, true, true, true, true]);
  expect(await here.look()).toEqual([]);
});

test("bytes of a task that still runs stay until it has ended", async () => {
  const here = await place();
  const bytes = await here.put("handed over at once, named at the end", 2 * DAY_MS);
  lease(here, "started", 3 * DAY_MS);
  expect(await here.look()).toEqual([]);
  await here.store.write((tx: Transaction) => tx.run("UPDATE lease SET state = 'reported'"), null);
  expect(await here.look()).toEqual([bytes]);
});

test("bytes that are stored, kept or noted once more at any step of their removal stay", async () => {
  const text = "once more";
  const bytes = Buffer.from(text);
  const digest = sha256(text);
  const steps: string[] = [];
  const again: Record<string, (here: Place) => Promise<unknown>> = {
    stored: (here) => here.artifacts.put(bytes),
    kept: async (here) => here.artifacts.keep(digest) ?? (await here.artifacts.put(bytes)),
  };
  const removal = async (how: string | null, at: number): Promise<Place> => {
    // Its own time is that of the file system: what comes meanwhile is later than the note.
    const here = { ...(await place()), now: Date.now() };
    await here.put(text, 2 * DAY_MS);
    await noteOrphans(here, "", 100);
    await Bun.sleep(2);
    const note = { tenantId: "a", sha256: digest, size: bytes.length, retentionMs: null };
    let step = 0;
    let arriving: Promise<unknown> | undefined;
    await sweepSteps(here, async (name) => {
      if (how === null) steps.push(name);
      else if (step++ === at) {
        arriving = again[how]!(here).then(() => noted(here.store, note));
        await arriving;
      }
    });
    await arriving;
    return here;
  };
  expect((await removal(null, -1)).isHere(digest)).toBe(false);
  expect(steps.length).toBeGreaterThan(8);
  for (const how of Object.keys(again)) {
    for (const at of steps.keys()) {
      const here = await removal(how, at);
      await sweepSteps(here, () => {});
      expect(`${how} at ${steps[at]}: ${here.isHere(digest)}`).toBe(`${how} at ${steps[at]}: true`);
    }
  }
});

test("a look goes on where the last one ended, and takes no more files than it may", async () => {
  const here = await place();
  const all = await Promise.all(Array.from({ length: 150 }, (_, at) => here.put(`file ${at}`, 2 * DAY_MS)));
  const noted = () => here.store.read(pendingRemovals, { after: null, limit: 1000 }).map((row) => row.target);
  const first = await noteOrphans(here, "", 100);
  expect(noted()).toEqual(all.sort().slice(0, 100));
  expect(await noteOrphans(here, first!, 100)).toBeNull();
  expect(noted()).toEqual(all);
});

test("a store that was restored does not judge what came before", async () => {
  const here = await place();
  const backup = join(here.directory, "backup.db");
  backupStore(join(here.directory, "store.db"), backup);
  const bytes = await here.put("named by the store that goes", 2 * DAY_MS);
  await here.store.close();
  restoreStore(backup, join(here.directory, "store.db"));
  const restored = openScene(here.directory);
  try {
    await noteOrphans(restored, "", 100);
    await noteOrphans(restored, "", 100);
    expect(restored.store.read(pendingRemovals, { after: null, limit: 10 })).toEqual([]);
    expect(here.isHere(bytes)).toBe(true);
  } finally {
    await restored.store.close();
  }
});

test("parts of an upload that nobody went on with go by themselves", async () => {
  const here = await place();
  const part = Buffer.from("par");
  const upload = { key: "k", sha256: sha256("part"), size: 4, offset: 0, mayKnow: true };
  await here.artifacts.append(part, upload).catch(() => {});
  const temporary = join(here.directory, "artifacts/temporary");
  const [name] = readdirSync(temporary);
  await sweepSteps(here, () => {});
  expect(here.artifacts.received(upload)).toBe(3);
  utimesSync(join(temporary, name!), 1, 1);
  await sweepSteps(here, () => {});
  expect(readdirSync(temporary)).toEqual([]);
});
