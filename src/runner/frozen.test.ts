import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeController } from "../../test/support/fake-controller.ts";
import { isDeep } from "../../test/support/require.ts";
import { processesRunning, runnerBenches, runnerConfig } from "../../test/support/runner.ts";
import type { ChildOptions } from "../../test/support/runner-child.ts";
import { newId } from "../base/ids.ts";
import type { UnsignedLease } from "../protocol/index.ts";
import { frozenPlace, listFrozen, removeFrozen } from "./files/frozen.ts";
import { Journal } from "./journal/journal.ts";
import { snapshotSession } from "./lease/freeze-lease.ts";
import { placesAt } from "./lease/places.ts";
import { KEEPING_POINTS, type Point } from "./points.ts";

setDefaultTimeout(30_000);

const benches = runnerBenches();
afterEach(() => benches.close());

const HOUR = 3_600_000;
const ALWAYS = { when: "always", forMs: HOUR } as const;
const FAILED = { when: "failed", forMs: HOUR } as const;

const read = (data: string, leaseId: string, path: string) =>
  readFileSync(join(frozenPlace(data, leaseId), path), "utf8");

/** The end of the runner, with what its journal then says is frozen. */
async function afterStop({ runner, data }: ReturnType<typeof benches.start>) {
  await runner.stop();
  const journal = new Journal(data);
  const tasks = journal.frozenTasks();
  await journal.close();
  return tasks;
}

describe("what a task left", () => {
  test("is kept read-only with its logs until the time that the result names, and nothing of it runs", async () => {
    const bench = benches.start();
    const { controller, data } = bench;
    // Others may run the same test on this machine.
    const sleeping = `sleep 47.${process.pid}`;
    const lease = controller.shell(
      `echo said; echo 1 > a; mkdir d; echo 2 > d/b; ln -s /etc/passwd link; mkfifo p; ${sleeping} & echo 3 > ~/home`,
      {
        freeze: ALWAYS,
      },
    );
    const { workspace, status } = await controller.result(lease);
    expect(status).toBe("succeeded");
    expect(processesRunning(sleeping)).toEqual([]);
    const until = Date.parse(workspace!.frozenUntil!);
    expect(Math.abs(until - Date.now() - HOUR)).toBeLessThan(60_000);
    const tasks = await afterStop(bench);
    expect([...tasks]).toEqual([[lease, until]]);
    expect(listFrozen(data)).toMatchObject([{ leaseId: lease, status: "succeeded", tenantId: "default" }]);
    expect(read(data, lease, "work/d/b")).toBe("2\n");
    expect(read(data, lease, "logs/stdout.log")).toBe("said\n");
    expect(statSync(join(frozenPlace(data, lease), "work/a")).mode & 0o222).toBe(0);
    expect(statSync(frozenPlace(data, lease)).mode & 0o077).toBe(0);
    // Its home is where tools keep what they know.
    expect(readdirSync(frozenPlace(data, lease)).sort()).toEqual(["frozen.json", "logs", "output", "work"]);
    expect(readdirSync(join(data, "workspaces"))).toEqual([]);
    expect(readdirSync(join(data, "leases"))).toEqual([]);
  });

  test("is kept of failures alone where policy says so, and of a session as it was then", async () => {
    const bench = benches.start();
    const { controller, data } = bench;
    const session = { workspace: { mode: "session", key: newId() }, wfInstanceId: newId() } as const;
    const good = controller.shell("echo 1 > a", { freeze: FAILED, ...session });
    expect((await controller.result(good)).workspace).toBeUndefined();
    const bad = controller.shell("echo 2 > a; exit 3", { freeze: FAILED, ...session });
    expect((await controller.result(bad)).workspace?.frozenUntil).toBeDefined();
    await controller.result(controller.shell("cat a; echo 3 > a", session));
    expect([...(await afterStop(bench)).keys()]).toEqual([bad]);
    expect(read(data, bad, "work/a")).toBe("2\n");
    expect(readFileSync(join(data, "workspaces", session.workspace.key, "work/a"), "utf8")).toBe("3\n");
  });

  test("is whole when it was a copy, and stays when the session took it over", async () => {
    const bench = benches.start();
    const { controller, data } = bench;
    const key = newId();
    const wfInstanceId = newId();
    await controller.result(
      controller.shell("echo 1 > a; echo 2 > b", { wfInstanceId, workspace: { mode: "session", key } }),
    );
    const copy = controller.shell("echo 3 > b", {
      wfInstanceId,
      freeze: ALWAYS,
      workspace: { mode: "ephemeral", key: newId(), copyOf: { session: key }, commitTo: key },
    });
    expect((await controller.result(copy)).workspace).toMatchObject({ committed: true });
    await bench.runner.stop();
    expect(read(data, copy, "work/a") + read(data, copy, "work/b")).toBe("1\n3\n");
    expect(readFileSync(join(data, "workspaces", key, "work/b"), "utf8")).toBe("3\n");
  });

  test("is not kept of a task with a secret, nor of one that never ran", async () => {
    process.env["FROZEN_SECRET"] = "a-secret-to-forget";
    const bench = benches.start({ secrets: { one: { env: "FROZEN_SECRET" } } });
    const { controller, data } = bench;
    const secret = controller.offer({
      freeze: ALWAYS,
      task: {
        type: "run.shell",
        command: "sh",
        arguments: ["-c", 'echo "$T" > kept'],
        environment: { T: "runner-secret://one" },
      },
    });
    const never = controller.offer({
      freeze: ALWAYS,
      task: { type: "run.shell", command: "no-such-program", arguments: [], environment: {} },
    });
    expect((await controller.result(secret)).workspace).toBeUndefined();
    expect((await controller.result(never)).workspace).toBeUndefined();
    delete process.env["FROZEN_SECRET"];
    expect([...(await afterStop(bench))]).toEqual([]);
    expect(existsSync(join(data, "frozen"))).toBe(false);
  });

  test("survives a restart, goes when its time is over, and when a person says so", async () => {
    const bench = benches.start();
    const { controller, data } = bench;
    const offer = (forMs: number) =>
      controller.shell("echo 1 > a; chmod 0 a; mkdir d; chmod 0 d", { freeze: { when: "always", forMs } });
    const [short, long, removed] = [offer(1), offer(HOUR), offer(HOUR)];
    for (const lease of [short, long, removed]) await controller.result(lease);
    await bench.runner.stop();
    // Left by nobody that is known.
    mkdirSync(join(data, "frozen", newId()), { recursive: true });
    await removeFrozen(data, removed);
    await expect(removeFrozen(data, removed)).rejects.toMatchObject({ code: "not_found" });
    await expect(removeFrozen(data, "../leases")).rejects.toMatchObject({ code: "not_found" });
    bench.restart();
    await bench.runner.ready;
    expect([...(await afterStop(bench)).keys()]).toEqual([long]);
    expect(readdirSync(join(data, "frozen"))).toEqual([long]);
  });

  test("is nothing where a session's step put a link in the place of its directory", async () => {
    const bench = benches.start({ sandbox: "process" });
    const { controller, data } = bench;
    const session = { workspace: { mode: "session", key: newId() }, wfInstanceId: newId() } as const;
    const lease = controller.shell("rm -r ../work; ln -s /etc ../work", { freeze: ALWAYS, ...session });
    expect((await controller.result(lease)).workspace).toBeUndefined();
    expect([...(await afterStop(bench))]).toEqual([]);
    expect(existsSync(join(data, "frozen"))).toBe(false);
  });

  test("is not copied from a session onto a disk below its floor", async () => {
    const directory = mkdtempSync(join(tmpdir(), "no room "));
    try {
      mkdirSync(join(directory, "work"));
      const workspace = { root: directory, directory: join(directory, "work"), home: directory };
      const places = placesAt(join(directory, "lease"));
      const snapshot = (minimumFreeBytes: number) =>
        snapshotSession({ dataDirectory: directory, minimumFreeBytes }, workspace, places);
      await expect(snapshot(Number.MAX_SAFE_INTEGER)).rejects.toMatchObject({ code: "unavailable" });
      expect(existsSync(join(places.root, "snapshot"))).toBe(false);
      await snapshot(1);
      expect(existsSync(join(places.root, "snapshot"))).toBe(true);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe("a runner killed at a named moment", () => {
  const CHILD = join(import.meta.dir, "../../test/support/runner-child.ts");
  const open: { children: Bun.Subprocess[]; controller: FakeController; directory: string }[] = [];
  afterEach(async () => {
    for (const { children, controller, directory } of open.splice(0)) {
      for (const child of children) child.kill("SIGKILL");
      await Promise.all(children.map((child) => child.exited));
      await controller.close();
      rmSync(directory, { recursive: true, force: true });
    }
  });

  const seed = Number(process.env["CRASH_SEED"] ?? Date.now() % 1_000_000);
  // Each moment once: how the copy was made differs, and what follows from it does not.
  const SOME: [Point, "process" | "auto"][] = [
    ["after_exit", "auto"],
    ["after_journal_exited", "auto"],
    ["after_journal_terminal", "auto"],
    ["after_journal_terminal", "process"],
    ["after_commit", "auto"],
    ["after_freeze", "process"],
    ["after_journal_frozen", "process"],
  ];
  // A seeded sample in the short form: three that follow one another, so that no moment is far from its turn.
  const from = seed % SOME.length;
  const chosen = isDeep ? SOME : [...SOME, ...SOME].slice(from, from + 3);
  console.log(`CRASH_SEED=${seed}`);
  for (const [point, sandbox] of chosen) {
    test(`${point} (${sandbox}): the session has all of a copy or nothing of it, and what is frozen is no orphan`, async () => {
      const directory = mkdtempSync(join(tmpdir(), "crash copy "));
      const data = join(directory, "data");
      const controller = new FakeController({ heartbeatIntervalMs: 200 });
      const children: Bun.Subprocess[] = [];
      open.push({ children, controller, directory });
      const start = (crashAt?: Point) => {
        const options: ChildOptions = {
          controllerUrl: controller.url,
          enrolmentToken: controller.enrolmentToken,
          config: runnerConfig(data, { sandbox }),
          ...(crashAt === undefined ? {} : { crashAt }),
        };
        const child = Bun.spawn([process.execPath, CHILD, JSON.stringify(options)], {
          stdin: "ignore",
          stdout: "inherit",
          stderr: "inherit",
        });
        children.push(child);
        return child;
      };
      const host = join(directory, "host");
      mkdirSync(host);
      writeFileSync(join(host, "a"), "1\n");
      writeFileSync(join(host, "b"), "2\n");
      const key = newId();
      const wfInstanceId = newId();
      const keeps = KEEPING_POINTS.some((each) => each === point && point !== "after_commit");
      const lease = controller.shell("echo 3 > b; rm a; echo out", {
        wfInstanceId,
        workspace: { mode: "ephemeral", key: newId(), copyOf: { path: host }, commitTo: key },
        ...(keeps ? { freeze: ALWAYS } : {}),
      } satisfies Partial<UnsignedLease>);
      const first = start(point);
      await first.exited;
      expect(first.signalCode).toBe("SIGKILL");
      start();
      const { status, workspace } = await controller.result(lease);
      const known = point !== "after_exit";
      expect(status).toBe(known ? "succeeded" : "unknown");
      expect(workspace?.committed ?? false).toBe(known);
      const after = controller.shell("cat * 2>/dev/null", {
        wfInstanceId,
        workspace: { mode: "session", key },
      });
      await controller.result(after);
      expect(controller.log(after)).toBe(known ? "3\n" : "");
      expect(readFileSync(join(host, "a"), "utf8")).toBe("1\n");
      const journalled = () => readdirSync(join(data, "leases")).length === 0;
      await controller.until(journalled, "the clean-up");
      expect(listFrozen(data).map((task) => task.leaseId)).toEqual(keeps ? [lease] : []);
      expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(data.replaceAll(" ", "\\040"));
    });
  }
});
