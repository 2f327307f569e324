import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeController, type FakeControllerOptions } from "../../test/support/fake-controller.ts";
import { isDeep, prerequisite } from "../../test/support/require.ts";
import { processesRunning, runnerConfig } from "../../test/support/runner.ts";
import type { ChildOptions } from "../../test/support/runner-child.ts";
import { sha256 } from "../base/canonical.ts";
import { leasePlaces } from "./lease/places.ts";
import { POINTS, type Point } from "./points.ts";
import { probeSandboxes } from "./sandboxes/index.ts";

setDefaultTimeout(30_000);

const CHILD = join(import.meta.dir, "../../test/support/runner-child.ts");

interface Place {
  readonly directory: string;
  readonly controller: FakeController;
  readonly children: Bun.Subprocess[];
}
const places: Place[] = [];

afterEach(async () => {
  for (const { directory, controller, children } of places.splice(0)) {
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(children.map((child) => child.exited));
    await controller.close();
    rmSync(directory, { recursive: true, force: true });
  }
}, 30_000);

function makePlace(options: FakeControllerOptions = {}): Place {
  const place = {
    directory: mkdtempSync(join(tmpdir(), "crash ")),
    controller: new FakeController({ heartbeatIntervalMs: 200, ...options }),
    children: [],
  };
  places.push(place);
  return place;
}

function spawnRunner(
  place: Place,
  config: Parameters<typeof runnerConfig>[1],
  crashAt?: Point,
  env: Record<string, string> = {},
): Bun.Subprocess {
  const options: ChildOptions = {
    controllerUrl: place.controller.url,
    enrolmentToken: place.controller.enrolmentToken,
    config: runnerConfig(join(place.directory, "data"), config),
    ...(crashAt === undefined ? {} : { crashAt }),
  };
  const child = Bun.spawn([process.execPath, CHILD, JSON.stringify(options)], {
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  });
  place.children.push(child);
  return child;
}

/** What the controller must have heard after the restart, and how often the command may have run. */
const EXPECTED: Record<
  Exclude<(typeof POINTS)[number], "before_journal_intent">,
  { status: string; code?: string; runs: number[] }
> = {
  after_journal_intent: { status: "failed", code: "execution_start_failed", runs: [0] },
  after_prepare: { status: "failed", code: "execution_start_failed", runs: [0] },
  after_started: { status: "failed", code: "execution_start_failed", runs: [0] },
  after_journal_executing: { status: "unknown", code: "execution_outcome_unknown", runs: [0] },
  after_spawn: { status: "unknown", code: "execution_outcome_unknown", runs: [0, 1] },
  after_exit: { status: "unknown", code: "execution_outcome_unknown", runs: [1] },
  after_journal_exited: { status: "succeeded", runs: [1] },
  after_artifacts: { status: "succeeded", runs: [1] },
  after_journal_terminal: { status: "succeeded", runs: [1] },
  after_send: { status: "succeeded", runs: [1] },
  after_journal_reported: { status: "succeeded", runs: [1] },
  after_cleanup: { status: "succeeded", runs: [1] },
};

/** A command of this process's tests alone: others may run the same ones on this machine. */
const sleeping = `sleep 67.${process.pid}`;

/** Each moment each time; the sandboxes of the short form take turns, and the next one begins where a seed says. */
const SEED = Number(process.env["CRASH_SEED"] ?? Date.now() % 1_000_000);
console.log(`CRASH_SEED=${SEED}`);
const SANDBOXES = ["process", "auto"] as const;

for (const [turn, sandbox] of SANDBOXES.entries()) {
  describe(`F11-F17: a runner killed at a named moment (${sandbox})`, () => {
    for (const [at, point] of POINTS.entries()) {
      if (!isDeep && (SEED + at) % SANDBOXES.length !== turn) continue;
      // Of such a lease nobody knows anything: a test of its own.
      if (point === "before_journal_intent") continue;
      test(`${point}: after a restart the outcome is right, and the command never ran twice`, async () => {
        const place = makePlace();
        const { controller, directory } = place;
        const count = join(directory, "count");
        writeFileSync(count, "");
        const lease = controller.shell(
          `echo x >> '${count}'; echo out; printf '{"n":1}' > "$LIGHTFLOW_OUTPUT"; echo data > file; ${point === "after_spawn" ? sleeping : "true"}`,
          {
            output: "json",
            artifacts: [{ path: "file" }],
            mounts: [{ source: count, target: count, readOnly: false }],
          },
        );
        const first = spawnRunner(place, { sandbox }, point);
        await first.exited;
        expect(first.signalCode).toBe("SIGKILL");
        spawnRunner(place, { sandbox });
        const result = await controller.result(lease);
        const expected = EXPECTED[point];
        expect(result.status).toBe(expected.status as "succeeded");
        expect(result.errorCode).toBe(expected.code);
        expect(expected.runs).toContain(readFileSync(count, "utf8").length / 2);
        if (expected.status === "succeeded") {
          expect(result.output).toEqual({ n: 1 });
          expect(result.artifactRefs[0]!.sha256).toBe(sha256("data\n"));
          expect(controller.log(lease)).toBe("out\n");
        }
        // The runner works on, and nothing of the lease stays.
        expect((await controller.result(controller.shell("true"))).status).toBe("succeeded");
        const left = () =>
          ["leases", "workspaces"].flatMap((name) => readdirSync(join(directory, "data", name)));
        await controller.until(() => left().length === 0, "the end of the cleanup");
        for (const other of controller.record(lease).results) expect(other).toEqual(result);
        if (point === "after_spawn") expect(processesRunning(sleeping)).toEqual([]);
      });
    }
  });
}

test("F11: a runner killed before it wrote down a lease knows nothing of it, and takes it when it is offered again", async () => {
  const place = makePlace();
  const { controller, directory } = place;
  const count = join(directory, "count");
  writeFileSync(count, "");
  const mounts = [{ source: count, target: count, readOnly: false }];
  const lease = controller.shell(`echo x >> '${count}'`, { mounts });
  const first = spawnRunner(place, {}, "before_journal_intent");
  await first.exited;
  expect(first.signalCode).toBe("SIGKILL");
  spawnRunner(place, {});
  expect((await controller.result(controller.shell("true"))).status).toBe("succeeded");
  expect(controller.record(lease)).toMatchObject({ state: "leased", starts: 0, results: [] });
  // As the server's reaper does with a lease that nobody started.
  controller.records.delete(lease);
  controller.shell(`echo x >> '${count}'`, { mounts, leaseId: lease });
  expect((await controller.result(lease)).status).toBe("succeeded");
  expect(readFileSync(count, "utf8")).toBe("x\n");
});

test("sockets of a task stand with its lease: a runner that is killed leaves none, nor anything in the temporary directory", async () => {
  const probe = await probeSandboxes({
    dataDirectory: join(makePlace().directory, "probe"),
    readOnlyPaths: [],
    temporaryBytes: 1 << 20,
  });
  if (!prerequisite("userns", probe.bubblewrap !== null, probe.remedy ?? "")) return;
  const place = makePlace();
  const { controller, directory } = place;
  const temporary = join(directory, "temporary");
  mkdirSync(temporary);
  const runner = (crashAt?: Point) =>
    spawnRunner(place, { sandbox: "bubblewrap" }, crashAt, { TMPDIR: temporary });
  const lease = controller.shell("true", {
    sandbox: { mode: "per-agent-call" },
    network: "allowlisted",
    networkHosts: { allow: ["tools.example.com"], deny: [] },
    agent: {
      name: "reader",
      modelProviderScope: "tenant",
      dataBoundary: "tenant-network",
      instructions: "",
      prompt: "",
      allowedTools: [],
      commands: [],
      budgets: { turns: 1, tokens: 1, bytes: 1 },
      protectedPaths: [],
    },
  });
  const first = runner("after_prepare");
  await first.exited;
  expect(first.signalCode).toBe("SIGKILL");
  const { egress, agent } = leasePlaces(join(directory, "data"), lease);
  expect([readdirSync(egress), readdirSync(agent)]).toEqual([["egress.sock"], ["model.sock"]]);
  expect(readdirSync(temporary)).toEqual([]);
  runner();
  expect(await controller.result(lease)).toMatchObject({ status: "failed", retrySafety: "safe" });
  await controller.until(
    () => readdirSync(join(directory, "data/leases")).length === 0,
    "the end of the cleanup",
  );
  expect(readdirSync(temporary)).toEqual([]);
});

test("F70: a journal that is replayed by one killed runner after the other gives one result", async () => {
  const place = makePlace();
  const { controller, directory } = place;
  const count = join(directory, "count");
  writeFileSync(count, "");
  const lease = controller.shell(`echo x >> '${count}'; echo out`, {
    mounts: [{ source: count, target: count, readOnly: false }],
  });
  // Before it collects, after it sent, after it sent again, before it cleans up.
  for (const point of [
    "after_journal_exited",
    "after_send",
    "after_send",
    "after_journal_reported",
  ] as const) {
    const child = spawnRunner(place, {}, point);
    await child.exited;
    expect({ point, signal: child.signalCode }).toEqual({ point, signal: "SIGKILL" });
  }
  spawnRunner(place, {});
  await controller.until(() => controller.record(lease).results.length >= 3);
  expect((await controller.result(controller.shell("true"))).status).toBe("succeeded");
  const { results } = controller.record(lease);
  for (const other of results) expect(other).toEqual(results[0]!);
  expect(results[0]!.status).toBe("succeeded");
  expect(readFileSync(count, "utf8")).toBe("x\n");
  expect(controller.log(lease)).toBe("out\n");
});

test("a runner that is killed takes the tasks of its sandboxes with it: nobody has to start it again for that", async () => {
  const place = makePlace();
  const { controller, directory } = place;
  const probe = await probeSandboxes({
    dataDirectory: join(directory, "probe"),
    readOnlyPaths: [],
    temporaryBytes: 1 << 20,
  });
  if (!prerequisite("userns", probe.bubblewrap !== null, probe.remedy ?? "")) return;
  const endless = `sleep 68.${process.pid}`;
  controller.shell(`(setsid ${endless} &); ${endless}`);
  const child = spawnRunner(place, { sandbox: "bubblewrap" });
  const running = async (count: number) => {
    for (let round = 0; round < 1_000 && processesRunning(endless).length !== count; round++)
      await Bun.sleep(20);
    return processesRunning(endless).length;
  };
  expect(await running(2)).toBe(2);
  child.kill("SIGKILL");
  await child.exited;
  expect(await running(0)).toBe(0);
});

test("F19: a runner that was cut off past its lease stops the task by itself, and its late result changes nothing", async () => {
  const place = makePlace({ leaseMs: 2_000 });
  const { controller, directory } = place;
  const ticks = join(directory, "ticks");
  writeFileSync(ticks, "");
  const lease = controller.shell(`while :; do echo x >> '${ticks}'; sleep 0.02; done`, {
    renewIntervalMs: 300,
    mounts: [{ source: ticks, target: ticks, readOnly: false }],
  });
  const child = spawnRunner(place, {});
  await controller.until(() => (controller.records.get(lease)?.renewals ?? 0) > 0);
  child.kill("SIGSTOP");
  // The server's reaper: started, and silent for longer than the lease.
  await Bun.sleep(2_300);
  controller.record(lease).state = "gone";
  child.kill("SIGCONT");
  const size = () => readFileSync(ticks).length;
  let before = -1;
  for (let round = 0; round < 50 && before !== size(); round++) {
    before = size();
    await Bun.sleep(200);
  }
  expect(size()).toBe(before);
  expect(controller.record(lease).results).toEqual([]);
  expect((await controller.result(controller.shell("true"))).status).toBe("succeeded");
});

/** A small seeded generator, so that a failing round can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}

const ROUNDS = isDeep ? 50 : 4;
for (let seed = 1; seed <= ROUNDS; seed++) {
  test(`killed and stopped at random, round ${seed}: every task has one outcome and ran at most once`, async () => {
    const next = random(seed * 2_654_435_761);
    const place = makePlace();
    const { controller, directory } = place;
    const tasks = Array.from({ length: 6 }, (_, index) => {
      const count = join(directory, `count-${index}`);
      writeFileSync(count, "");
      const lease = controller.shell(
        `echo x >> '${count}'; for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep ${(next() * 0.06).toFixed(3)}; done`,
        { mounts: [{ source: count, target: count, readOnly: false }] },
      );
      return { count, lease };
    });
    const sandbox = next() < 0.5 ? "process" : "auto";
    for (let round = 0; round < 3; round++) {
      const child = spawnRunner(place, { sandbox });
      await Bun.sleep(150 + next() * 500);
      if (next() < 0.3) {
        child.kill("SIGSTOP");
        await Bun.sleep(next() * 200);
        child.kill("SIGCONT");
        await Bun.sleep(next() * 100);
      }
      child.kill("SIGKILL");
      await child.exited;
    }
    spawnRunner(place, { sandbox });
    const lines = Array.from({ length: 8 }, (_, index) => `line ${index + 1}\n`).join("");
    // An offer that was on the wire when its runner died was never started: a real controller's reaper queues it
    // again. Such a record stays as it is for as long as nobody works on it.
    const undecided = () =>
      tasks.filter(({ lease }) => (controller.records.get(lease)?.results.length ?? 0) === 0).length;
    let before = -1;
    for (let quiet = 0; quiet < 8 && undecided() > 0; ) {
      await Bun.sleep(250);
      const states = tasks.map(({ lease }) => controller.records.get(lease)?.state);
      const settled = states.every((state) => state === "leased" || state === "reported");
      quiet = settled && undecided() === before ? quiet + 1 : 0;
      before = undecided();
    }
    for (const { count, lease } of tasks) {
      const result = controller.record(lease).results[0];
      const runs = readFileSync(count, "utf8").length / 2;
      expect({ seed, runs: runs <= 1 }).toEqual({ seed, runs: true });
      if (result === undefined) {
        expect(runs).toBe(0);
        continue;
      }
      if (result.status === "succeeded") {
        expect(controller.log(lease)).toBe(lines);
        expect(runs).toBe(1);
      } else {
        expect(["unknown", "failed"]).toContain(result.status);
        expect(lines.startsWith(controller.log(lease))).toBe(true);
        if (result.retrySafety === "safe") expect(runs).toBe(0);
      }
    }
  }, 30_000);
}
