import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunnerConfig } from "../../src/runner/config.ts";
import type { Point } from "../../src/runner/points.ts";
import { E2bServer } from "../../src/runner/sandboxes/remote/testing/e2b-server.ts";
import { KubernetesServer } from "../../src/runner/sandboxes/remote/testing/kubernetes-server.ts";
import { FakeController } from "../support/fake-controller.ts";
import { runnerBenches, runnerConfig } from "../support/runner.ts";
import type { ChildOptions } from "../support/runner-child.ts";

/**
 * Sandboxes that answer badly: they are gone, their answer is lost, there are two, they cannot be removed, or an earlier
 * runner left them. The services are local servers that speak the published APIs, the runners real, and killed for real.
 */
setDefaultTimeout(30_000);

const TOKEN = "cluster-token";
const LIMITS = { logBytes: 1e6, outputBytes: 1e4, artifactBytes: 1e6, artifactCount: 10 };
const files = mkdtempSync(join(tmpdir(), "sandbox faults "));
let cluster: KubernetesServer;
let service: E2bServer;
const benches = runnerBenches();
const children: Bun.Subprocess[] = [];

beforeAll(() => {
  writeFileSync(join(files, "token"), TOKEN);
  writeFileSync(join(files, "key"), "service-key", { mode: 0o600 });
});
afterAll(() => rmSync(files, { recursive: true, force: true }));
beforeEach(() => {
  cluster = new KubernetesServer(TOKEN);
  service = new E2bServer("service-key");
  writeFileSync(count(), "");
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(children.splice(0).map((child) => child.exited));
  await benches.close();
  await cluster.close();
  await service.close();
});

const count = () => join(files, "count");
const runs = () => readFileSync(count(), "utf8").length / 2;
const counting = () => `echo x >> '${count()}'`;
const lease = (controller: FakeController, script = counting()) =>
  controller.shell(script, { limits: LIMITS, sandbox: { mode: "per-agent-call" } });

type Kind = "kubernetes" | "cubesandbox";
const KINDS: readonly Kind[] = ["kubernetes", "cubesandbox"];

const configOf = (kind: Kind): Partial<RunnerConfig> =>
  kind === "kubernetes"
    ? {
        sandbox: kind,
        kubernetes: {
          apiServer: cluster.url,
          tokenFile: join(files, "token"),
          namespace: "tasks",
          image: `registry.example/task@sha256:${"0".repeat(64)}`,
          volumeClaim: "runner-data",
          networkPolicy: true,
        },
      }
    : {
        sandbox: kind,
        secrets: { key: { file: join(files, "key") } },
        cube: { url: service.url, sandboxUrl: service.url, keyReference: "key", template: "base" },
      };

const loseAll = (kind: Kind) => {
  if (kind === "kubernetes") void cluster.losePods();
  else for (const id of [...service.boxes.keys()]) void service.remove(id);
};
const left = () => cluster.objects.size + service.boxes.size;

for (const kind of KINDS) {
  test(`F43 (${kind}): a sandbox that is gone after it was prepared leaves an unknown end, and runs nothing`, async () => {
    let losing = true;
    const atPoint = (point: Point) => {
      if (point === "after_started" && losing) loseAll(kind);
    };
    const { controller } = benches.start(configOf(kind), {}, { atPoint });
    expect(await controller.result(lease(controller))).toMatchObject({
      status: "unknown",
      errorCode: "execution_outcome_unknown",
      retrySafety: "inspect-required",
    });
    expect(runs()).toBe(0);
    losing = false;
    expect((await controller.result(lease(controller))).status).toBe("succeeded");
    expect(runs()).toBe(1);
    await controller.until(() => left() === 0);
  });

  test(`F45 (${kind}): two sandboxes for one lease run nothing, and the operator is told both`, async () => {
    const atPoint = (point: Point) => {
      if (point === "after_prepare" && kind === "kubernetes") cluster.doublePod();
    };
    service.makesTwo = true;
    const { controller } = benches.start(configOf(kind), {}, { atPoint });
    const result = await controller.result(lease(controller));
    expect(result).toMatchObject({
      status: "unknown",
      errorCode: "execution_outcome_unknown",
      retrySafety: "inspect-required",
      summary: expect.stringMatching(/^two (pods|sandboxes) carry the same lease: \S+, \S+$/),
    });
    expect(runs()).toBe(0);
    // Neither keeps the secrets of a task that nobody holds a lease for.
    await controller.until(() => left() === 0);
  });
}

test("F44 (kubernetes): a creation whose answer is lost is found again by the lease, and its command runs once", async () => {
  for (const kind of ["secrets", "jobs"]) cluster.losesAnswerOf.add(kind);
  const { controller } = benches.start(configOf("kubernetes"));
  expect((await controller.result(lease(controller))).status).toBe("succeeded");
  expect(runs()).toBe(1);
  expect(cluster.asked.filter((asked) => asked.startsWith("POST"))).toEqual([
    "POST secrets",
    "POST secrets",
    "POST jobs",
    "POST jobs",
  ]);
});

test("F44 (cubesandbox): a sandbox whose answer is lost is found by its lease and ended: nothing ran, and it is safe to repeat", async () => {
  service.losesAnswer = true;
  const { controller } = benches.start(configOf("cubesandbox"));
  expect(await controller.result(lease(controller))).toMatchObject({
    status: "failed",
    errorCode: "execution_start_failed",
    retrySafety: "safe",
  });
  expect({ runs: runs(), left: left() }).toEqual({ runs: 0, left: 0 });
});

test("F46: what cannot be removed is the runner's backlog; above its limit it takes no lease, until the removal works again", async () => {
  cluster.refusesRemovals = true;
  const { controller } = benches.start(
    { ...configOf("kubernetes"), slots: 1 },
    { heartbeatIntervalMs: 50 },
    { sweepMs: 100 },
  );
  const backlog = () => controller.heartbeats.at(-1)?.cleanupBacklog;
  const leases = Array.from({ length: 9 }, () => lease(controller));
  // The results are not kept back by it.
  for (const id of leases) expect((await controller.result(id)).status).toBe("succeeded");
  await controller.until(() => backlog() === 9);
  await controller.until(() => controller.heartbeats.at(-1)!.status === "unhealthy");
  expect(cluster.objects.size).toBeGreaterThan(9);
  // The claim that waits already is answered, and given back; another is not made.
  const refused = lease(controller);
  await controller.until(() => controller.records.get(refused)?.rejected != null);
  expect(controller.record(refused).rejected).toContain("could not be cleaned up");
  const waiting = lease(controller);
  await Bun.sleep(300);
  expect(controller.records.has(waiting)).toBe(false);

  cluster.refusesRemovals = false;
  expect((await controller.result(waiting)).status).toBe("succeeded");
  await controller.until(() => backlog() === 0);
  await controller.until(() => left() === 0);
  expect(runs()).toBe(10);
});

function spawnRunner(
  controller: FakeController,
  data: string,
  crashAt?: Point,
): Bun.Subprocess<"ignore", "inherit", "pipe"> {
  const options: ChildOptions = {
    controllerUrl: controller.url,
    enrolmentToken: controller.enrolmentToken,
    config: runnerConfig(data, configOf("kubernetes")),
    ...(crashAt === undefined ? {} : { crashAt }),
  };
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "../support/runner-child.ts"), JSON.stringify(options)],
    { stdin: "ignore", stdout: "inherit", stderr: "pipe" },
  );
  children.push(child);
  return child;
}

test("F47: what a killed runner left elsewhere is removed before the next registers; where it cannot be, the next does not start", async () => {
  const controller = new FakeController();
  const data = join(files, "data");
  try {
    const asked = lease(controller);
    const first = spawnRunner(controller, data, "after_started");
    await first.exited;
    expect(first.signalCode).toBe("SIGKILL");
    const jobs = () => [...cluster.objects.keys()].filter((key) => key.startsWith("jobs/"));
    expect(jobs()).toHaveLength(1);
    // Its command waits at a gate that nobody is left to open.
    expect(runs()).toBe(0);

    cluster.refusesRemovals = true;
    const second = spawnRunner(controller, data);
    expect(await second.exited).not.toBe(0);
    expect(await new Response(second.stderr).text()).toContain("etcdserver");
    expect(controller.registrations).toHaveLength(1);

    cluster.refusesRemovals = false;
    const seen: number[] = [];
    controller.intercept = (path) => {
      if (path.endsWith("/register")) seen.push(jobs().length);
      return null;
    };
    spawnRunner(controller, data);
    expect(await controller.result(asked)).toMatchObject({
      status: "failed",
      errorCode: "execution_start_failed",
      retrySafety: "safe",
    });
    expect(seen).toEqual([0]);
    expect({ runs: runs(), left: left() }).toEqual({ runs: 0, left: 0 });
  } finally {
    await controller.close();
  }
});
