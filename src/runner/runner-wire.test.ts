import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runnerBenches } from "../../test/support/runner.ts";
import { sha256 } from "../base/canonical.ts";
import { Journal } from "./journal/journal.ts";

setDefaultTimeout(30_000);

const benches = runnerBenches();
afterEach(() => benches.close());

describe("the wire", () => {
  test("F68: 100 MB on both streams at once arrive whole, whatever the order", async () => {
    const { controller } = benches.start();
    const lease = controller.shell(
      "head -c 100000000 /dev/zero | tr '\\0' 'o' & head -c 100000000 /dev/zero | tr '\\0' 'e' >&2; wait",
      { limits: { logBytes: 300e6, outputBytes: 0, artifactBytes: 0, artifactCount: 0 } },
    );
    expect((await controller.result(lease, 60_000)).status).toBe("succeeded");
    for (const [stream, letter] of [
      ["stdout", "o"],
      ["stderr", "e"],
    ] as const) {
      const bytes = Buffer.concat(controller.record(lease).chunks[stream]);
      expect(bytes.length).toBe(100_000_000);
      expect(sha256(bytes)).toBe(sha256(Buffer.alloc(100_000_000, letter)));
    }
  }, 60_000);

  test("F20: a controller that is away for a while loses nothing and repeats nothing", async () => {
    const { controller, directory } = benches.start({}, { leaseMs: 20_000 });
    const count = join(directory, "count");
    writeFileSync(count, "");
    const lease = controller.shell(
      `echo x >> '${count}'; for i in $(seq 1 60); do echo line $i; sleep 0.02; done`,
      {
        mounts: [{ source: count, target: count, readOnly: false }],
      },
    );
    await controller.until(() => (controller.records.get(lease)?.chunks.stdout.length ?? 0) > 0);
    await controller.down();
    await Bun.sleep(1_500);
    controller.up();
    expect((await controller.result(lease)).status).toBe("succeeded");
    const lines = Array.from({ length: 60 }, (_, i) => `line ${i + 1}\n`).join("");
    expect(controller.log(lease)).toBe(lines);
    expect(readFileSync(count, "utf8")).toBe("x\n");
  });

  test("F21: every message whose answer is lost once is sent again and counts once", async () => {
    const { controller, directory } = benches.start();
    const count = join(directory, "count");
    writeFileSync(count, "");
    const lost = new Set<string>();
    controller.intercept = (path) => {
      if (lost.has(path) || path.endsWith("heartbeat")) return null;
      lost.add(path);
      return "lose-answer";
    };
    const lease = controller.shell(
      `echo x >> '${count}'; echo out; echo err >&2; echo data > file; until grep -q renewed '${count}'; do sleep 0.02; done`,
      {
        mounts: [{ source: count, target: count, readOnly: false }],
        artifacts: [{ path: "file" }],
        renewIntervalMs: 100,
      },
    );
    await controller.until(() => (controller.records.get(lease)?.renewals ?? 0) > 1);
    appendFileSync(count, "renewed\n");
    const result = await controller.result(lease);
    await controller.until(() => controller.record(lease).results.length === 2);
    expect(controller.record(lease).results[1]).toEqual(result);
    expect(result).toMatchObject({ status: "succeeded" });
    expect([...lost].sort()).toEqual([
      "/runner/challenge",
      "/runner/claim",
      "/runner/register",
      "/runner/task/*/artifact",
      "/runner/task/*/complete",
      "/runner/task/*/log",
      "/runner/task/*/renew",
      "/runner/task/*/started",
    ]);
    expect(controller.record(lease).starts).toBe(1);
    expect(controller.log(lease)).toBe("out\n");
    expect(readFileSync(count, "utf8")).toBe("x\nrenewed\n");
  });

  test("a lease that is offered twice runs once", async () => {
    const { controller, directory } = benches.start();
    const count = join(directory, "count");
    writeFileSync(count, "");
    const script = `echo x >> '${count}'; sleep 0.3`;
    const mounts = [{ source: count, target: count, readOnly: false }];
    const lease = controller.shell(script, { mounts });
    controller.shell(script, { mounts, leaseId: lease });
    await controller.result(lease);
    controller.shell(script, { mounts, leaseId: lease });
    const after = controller.shell("true");
    await controller.result(after);
    await Bun.sleep(100);
    expect(readFileSync(count, "utf8")).toBe("x\n");
  });

  test("a session that is gone is made anew, and running leases go on", async () => {
    const { controller } = benches.start();
    const lease = controller.shell("echo begun; sleep 0.8; echo ended");
    await controller.until(() => controller.records.get(lease)?.chunks.stdout.length === 1);
    controller.forgetSession();
    expect((await controller.result(lease)).status).toBe("succeeded");
    expect(controller.log(lease)).toBe("begun\nended\n");
    expect(controller.registrations.length).toBe(2);
    expect((await controller.result(controller.shell("true"))).status).toBe("succeeded");
  });

  test("work for every slot is taken at once, and no more than that", async () => {
    const { controller, directory } = benches.start({ slots: 3, sandbox: "process" });
    const gate = join(directory, "gate");
    const script = `echo begun; until test -e '${gate}'; do sleep 0.02; done`;
    const leases = Array.from({ length: 7 }, () => controller.shell(script));
    await controller.until(() => controller.records.size === 3);
    await Bun.sleep(150);
    expect(controller.records.size).toBe(3);
    writeFileSync(gate, "");
    for (const lease of leases) expect((await controller.result(lease)).status).toBe("succeeded");
  });

  test("an audit directive is answered with what the runner runs with", async () => {
    const { controller, runner } = benches.start({ commands: ["sh"], secrets: { db: { env: "NOT_SET" } } });
    await runner.ready;
    controller.direct({ kind: "audit" });
    await controller.until(() => controller.audits.length === 1);
    const [registered] = controller.registrations;
    expect(controller.audits[0]).toMatchObject({
      commands: ["sh"],
      secretBindings: ["db"],
      configHash: registered!.configHash,
      binaryDigest: registered!.binaryDigest,
    });
  });

  test("a refused first registration ends the runner with the reason", async () => {
    const { runner } = benches.start({}, {}, { enrolmentToken: "wrong" });
    expect(runner.closed).rejects.toMatchObject({ code: "unauthenticated" });
    await runner.closed.catch(() => {});
  });
});

describe("the data directory", () => {
  test("F48: a runner without room on its disk says that it is unhealthy and takes no work", async () => {
    const { controller, runner } = benches.start({ minimumFreeBytes: Number.MAX_SAFE_INTEGER });
    await runner.ready;
    const lease = controller.shell("true");
    await controller.until(() => controller.heartbeats.length > 1);
    expect(controller.heartbeats.map((heartbeat) => heartbeat.status)).not.toContain("ready");
    expect(controller.heartbeats[0]!.status).toBe("unhealthy");
    expect(controller.records.has(lease)).toBe(false);
  });

  test("a second runner on it is refused while the first lives", async () => {
    const bench = benches.start();
    await bench.runner.ready;
    const second = bench.restart();
    expect(second.closed).rejects.toMatchObject({ code: "conflict" });
    await second.closed.catch(() => {});
  });

  test("F48: a damaged journal is set aside, and the runner stays down until somebody removed it", async () => {
    const bench = benches.start();
    await bench.runner.ready;
    await bench.runner.stop();
    writeFileSync(join(bench.data, "journal.db"), "not a database, not even close to one".repeat(200));
    for (let round = 0; round < 2; round++) {
      expect(() => new Journal(bench.data)).toThrow(/journal/);
    }
    expect(readdirSync(bench.data).some((name) => name.startsWith("journal.damaged-"))).toBe(true);
    appendFileSync(join(bench.data, "note"), "");
  });
});
