import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { childEnvironment } from "../../src/base/child-env.ts";
import { checkStore } from "../../src/store/maintenance.ts";
import { CRASH_SCENARIOS } from "../support/crash-scenarios.ts";
import { isDeep } from "../support/require.ts";

const seed = Number(process.env["CRASH_SEED"] ?? Date.now() % 1_000_000);
console.log(`CRASH_SEED=${seed}`);

/** How often each write has reached the other side, by the key that names it. */
const writes = new Map<string, number>();
const service = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/seen")
      return Response.json({ count: writes.get(url.searchParams.get("key")!) ?? 0 });
    if (url.pathname === "/effect") {
      const key = request.headers.get("idempotency-key")!;
      writes.set(key, (writes.get(key) ?? 0) + 1);
      return Response.json({ done: true });
    }
    return Response.json({ value: 1 });
  },
});
const directory = mkdtempSync(join(tmpdir(), "crash-"));
afterAll(() => {
  service.stop(true);
  rmSync(directory, { recursive: true, force: true });
});

interface Ended {
  commits: number;
  runs: unknown[];
}

/** More at once would only wait for the processors, and their time would run meanwhile. */
const AT_ONCE = 4 * availableParallelism();
let running = 0;
const waiting: (() => void)[] = [];
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running < AT_ONCE) running++;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}

const runScenario = (name: string, place: string, at: number, when: string): Promise<Ended | "killed"> =>
  inTurn(() => runNow(name, place, at, when));

async function runNow(name: string, place: string, at: number, when: string): Promise<Ended | "killed"> {
  const child = Bun.spawn(
    [
      process.execPath,
      join(import.meta.dir, "../support/crash-child.ts"),
      place,
      name,
      service.url.href,
      String(at),
      when,
    ],
    {
      env: childEnvironment(process.env),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: 60_000,
      killSignal: "SIGQUIT",
    },
  );
  const [out, errors] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (child.signalCode === "SIGKILL") return "killed";
  if (child.exitCode !== 0)
    throw new Error(`${name}, ${when} commit ${at}: ${child.signalCode ?? child.exitCode} ${errors}`);
  return JSON.parse(out) as Ended;
}

let places = 0;
const newPlace = (): string => join(directory, String(places++));

const baselines = new Map<string, Promise<Ended>>();
function baseline(name: string): Promise<Ended> {
  let known = baselines.get(name);
  if (known === undefined) {
    known = runScenario(name, newPlace(), 0, "never") as Promise<Ended>;
    baselines.set(name, known);
  }
  return known;
}

/** Kill it there, start it again, and compare its end with that of one that nobody killed. */
async function survives(name: string, at: number, when: string): Promise<void> {
  const place = newPlace();
  const { runs } = await baseline(name);
  const first = await runScenario(name, place, at, when);
  // Two starts differ by a commit or so: one that ends before its last commit was not killed.
  const ended = first === "killed" ? ((await runScenario(name, place, 0, "never")) as Ended) : first;
  expect({ at, when, runs: ended.runs }).toEqual({ at, when, runs });
  expect(checkStore(join(place, "state/lightflow.db"))).toMatchObject({ ok: true, problems: [] });
  rmSync(place, { recursive: true, force: true });
}

/** Points of a scenario: all of them, or one that the seed chooses. */
async function pointsOf(name: string, position: number): Promise<[number, "before" | "after"][]> {
  const { commits } = await baseline(name);
  const all = Array.from({ length: commits }, (_, at): [number, "before" | "after"][] => [
    [at + 1, "before"],
    [at + 1, "after"],
  ]).flat();
  if (isDeep) return all;
  return [all[Bun.hash.crc32(`${seed} ${position}`) % all.length]!];
}

for (const [position, name] of Object.keys(CRASH_SCENARIOS).entries()) {
  test.concurrent(
    `F2, F3, F60, F61, F64, F65: killed at a commit, \`${name}\` ends as it would have`,
    async () => {
      for (const [at, when] of await pointsOf(name, position)) await survives(name, at, when);
      // Nothing that may not be repeated has reached the other side twice.
      expect([...writes].filter(([, count]) => count > 1)).toEqual([]);
    },
    // They share the processors: each takes as long as all of them.
    isDeep ? 600_000 : 180_000,
  );
}
