import { afterAll, expect, test } from "bun:test";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childEnvironment } from "../../src/base/child-env.ts";
import { checkStore } from "../../src/store/maintenance.ts";
import { isDeep } from "../support/require.ts";
import { lookAt, openScene, SWEPT, setScene, sweepSteps } from "../support/sweep-scene.ts";

const seed = Number(process.env["CRASH_SEED"] ?? Date.now() % 1_000_000);
const directory = mkdtempSync(join(tmpdir(), "retention-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** @returns how many steps there are, or null when it was killed at the wanted one */
async function sweepChild(place: string, at: number): Promise<number | null> {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "../support/sweep-child.ts"), place, String(at)],
    { env: childEnvironment(process.env), stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 30_000 },
  );
  const [out, errors] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (child.signalCode === "SIGKILL") return null;
  if (child.exitCode !== 0) throw new Error(`at ${at}: ${child.signalCode ?? child.exitCode} ${errors}`);
  return Number(out);
}

test("F57: a sweep that is killed at any of its steps is ended by the next one, and what is needed stays throughout", async () => {
  console.log(`CRASH_SEED=${seed}`);
  const first = join(directory, "first");
  const scene = openScene(first);
  await setScene(scene);
  await scene.store.close();
  const copy = (name: string): string => {
    cpSync(first, join(directory, name), { recursive: true, preserveTimestamps: true });
    return join(directory, name);
  };
  // The child's own time: well after whatever the scene notes.
  const steps = (await sweepChild(copy("whole"), -1))!;
  expect(steps).toBeGreaterThan(20);
  const all = Array.from({ length: steps }, (_, at) => at);
  const chosen = isDeep ? all : all.filter((at) => Bun.hash.crc32(`${seed} ${at}`) % 4 === 0);
  for (const at of chosen) {
    const place = copy(String(at));
    expect(await sweepChild(place, at)).toBeNull();
    const after = openScene(place);
    // Whatever was there to be read before and is needed is there, also before anybody has mended anything.
    for (const text of ["shared", "held"] as const)
      expect(
        `${at} ${await after.artifacts.open(new Bun.CryptoHasher("sha256").update(text).digest("hex")).text()}`,
      ).toBe(`${at} ${text}`);
    await sweepSteps(after, () => {});
    expect({ at, ...lookAt(after) }).toEqual({ at, ...SWEPT } as never);
    await after.store.close();
    expect(checkStore(join(place, "store.db"))).toMatchObject({ ok: true, problems: [] });
    rmSync(place, { recursive: true });
  }
}, 300_000);
