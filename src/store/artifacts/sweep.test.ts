import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeep } from "../../../test/support/require.ts";
import {
  digest,
  lookAt,
  noted,
  openScene,
  SCENE,
  type Scene,
  SWEPT,
  setScene,
  sweepSteps,
} from "../../../test/support/sweep-scene.ts";
import { openArtifacts } from "../../artifacts/index.ts";
import { LIMITS } from "../../base/limits.ts";
import type { Transaction } from "../operation.ts";
import { noteUpload } from "./references.ts";
import { sweepArtifacts } from "./sweep.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function scene(): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), "sweep-"));
  const made = openScene(directory);
  closers.push(async () => {
    await made.store.close();
    rmSync(directory, { recursive: true });
  });
  await setScene(made);
  return made;
}

test("a sweep removes what nothing needs, keeps what anything needs, and has nothing left to do", async () => {
  const here = await scene();
  const swept = await sweepSteps(here, () => {});
  expect(swept).toEqual({ expired: 4, removed: 2, bytes: 7, quarantined: 1 });
  expect(lookAt(here)).toEqual(SWEPT as never);
  expect(await sweepSteps(here, () => {})).toEqual({ expired: 0, removed: 0, bytes: 0, quarantined: 0 });
});

test("the same bytes handed in once more, at any step of a sweep, are never lost", async () => {
  const steps: string[] = [];
  await sweepSteps(await scene(), (name) => void steps.push(name));
  expect(steps.length).toBeGreaterThan(20);
  const bytes = Buffer.from(SCENE.over);
  const upload = { key: "second", sha256: digest("over"), size: bytes.length, offset: 0, mayKnow: true };
  const again = { tenantId: "a", sha256: digest("over"), size: bytes.length, retentionMs: null };
  const repeat = async (how: string, at: number): Promise<void> => {
    const here = await scene();
    // As another process would do it, whatever this one holds in memory.
    const other = openArtifacts(join(here.artifacts.path(digest("over")), "../../.."));
    let step = 0;
    let arriving: Promise<unknown> | undefined;
    await sweepSteps(here, async () => {
      if (step++ !== at) return;
      arriving = how.startsWith("put") ? other.put(bytes) : other.append(bytes, upload);
      if (!how.endsWith("later")) arriving = arriving.then(() => noted(here.store, again));
      await arriving;
    });
    await arriving;
    if (how.endsWith("later")) await noted(here.store, again);
    await sweepSteps({ ...here, now: here.now + 100 }, () => {});
    const read = readFileSync(here.artifacts.path(digest("over"))).toString();
    const place = `${how} at ${at}, ${steps[at]}`;
    expect({ place, read, ...lookAt(here).known }).toEqual({
      place,
      read: SCENE.over,
      ...SWEPT.known,
      over: "live",
    });
  };
  for (const [turn, how] of ["put", "append, noted later", "append", "put, noted later"].entries()) {
    // Each step with one of two ways; with all of them in the long form.
    const chosen = steps.map((_, at) => at).filter((at) => isDeep || (at + turn) % 2 === 0);
    await Promise.all(chosen.map((at) => repeat(how, at)));
    for (const close of closers.splice(0)) await close();
  }
}, 60_000);

test("what is named while its bytes are being removed keeps them, however old they are", async () => {
  const here = await scene();
  utimesSync(here.artifacts.path(digest("over")), 1, 1);
  let noting: Promise<unknown> | undefined;
  await sweepSteps(here, (name) => {
    if (name === "before begin")
      noting ??= noted(here.store, { tenantId: "z", sha256: digest("over"), size: 4, retentionMs: null });
  });
  await noting;
  expect(lookAt(here)).toMatchObject({ bytes: ["over", "shared", "held"], pending: 0 });
});

test("needed bytes that a process which died had taken away can be read, and stand under their name after the next sweep", async () => {
  const here = await scene();
  here.artifacts.beginRemoval(digest("shared"));
  expect(await here.artifacts.open(digest("shared")).text()).toBe(SCENE.shared);
  await sweepSteps(here, () => {});
  expect(lookAt(here)).toEqual(SWEPT as never);
});

test("an upload in the quarantine that nobody could note goes after a week", async () => {
  const here = await scene();
  await here.store.write((tx: Transaction) => tx.run("DELETE FROM quarantined_upload"), null);
  const [aside] = here.artifacts.quarantined();
  await sweepSteps(here, () => {});
  expect(here.artifacts.quarantined()).toEqual([aside!]);
  await sweepSteps({ ...here, now: aside!.since + LIMITS.quarantineMs + 1 }, () => {});
  expect(here.artifacts.quarantined()).toEqual([]);
});

test("bytes that were kept for an upload that never ended go a day later", async () => {
  const here = await scene();
  const sweep = (now: number) =>
    sweepArtifacts({ store: here.store, artifacts: here.artifacts, removeSpool: async () => {}, now });
  await Bun.sleep(2);
  here.artifacts.keep(digest("over"));
  expect((await sweep(here.now)).removed).toBe(1);
  expect(here.artifacts.has(digest("over"))).toBe(true);
  expect((await sweep(here.now + 86_400_000)).removed).toBe(1);
  expect(here.artifacts.has(digest("over"))).toBe(false);
});

test("a repeat of an upload never shortens what was promised, and brings back what had expired", async () => {
  const { store } = await scene();
  const at = (retentionMs: number | null, now: number) =>
    store.write(noteUpload, {
      ...{ tenantId: "t", sha256: "a".repeat(64), size: 1, media_type: "x/y", name: null, actor: "me" },
      ...{ now, retentionMs },
    });
  const until = () =>
    store.read(
      (tx) => tx.get<{ at: number | null }>("SELECT expires_at AS at FROM upload WHERE tenant_id = 't'")!.at,
      null,
    );
  expect(await at(1000, 1)).toBe(true);
  expect(await at(10, 2)).toBe(false);
  expect(until()).toBe(1001);
  expect(await at(5000, 3)).toBe(false);
  expect(until()).toBe(5003);
  await at(null, 4);
  await at(10, 5);
  expect(until()).toBeNull();
  await store.write((tx: Transaction) => tx.run("UPDATE upload SET expired_at = 9, expires_at = 9"), null);
  expect(await at(100, 10)).toBe(true);
  expect(until()).toBe(110);
});

test("a sweep of many references gives other writers their turn between its batches", async () => {
  const here = await scene();
  await here.store.write((tx: Transaction) => {
    for (let at = 0; at < 5000; at++) {
      tx.run(
        `INSERT INTO upload (tenant_id, sha256, size, media_type, uploaded_by, created_at, noted_at, expires_at)
         VALUES ('a', ?, 1, 'x/y', 'me', 1, 1, 1)`,
        at.toString(16).padStart(64, "0"),
      );
    }
  }, null);
  let sweeping = true;
  const done = sweepSteps(here, () => {}).finally(() => {
    sweeping = false;
  });
  let between = 0;
  while (sweeping) {
    await here.store.write((tx: Transaction) => tx.run("UPDATE setting SET value = value"), null);
    between++;
  }
  expect((await done).expired).toBe(5004);
  // 79 batches of 64 to give up, and as many to remove.
  expect(between).toBeGreaterThan(79);
}, 20_000);
