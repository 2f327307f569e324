import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { ownPort } from "../../test/support/port.ts";
import { runnerBenches } from "../../test/support/runner.ts";

setDefaultTimeout(20_000);
const benches = runnerBenches();
afterEach(() => benches.close());

test("a runner answers on loopback whether it lives, whether it takes work, and what it has done", async () => {
  const port = ownPort();
  const { controller, runner } = benches.start(
    { sandbox: "process", slots: 3, healthAddress: `127.0.0.1:${port}` },
    { heartbeatIntervalMs: 50 },
  );
  await runner.ready;
  const ask = async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return { status: response.status, text: await response.text() };
  };
  await controller.result(controller.shell("echo 12345"));
  await controller.result(controller.shell("exit 1"));
  expect(await ask("/healthz")).toEqual({ status: 200, text: '{"status":"ok"}' });
  expect((await ask("/readyz")).status).toBe(200);
  await controller.until(() => controller.heartbeats.length > 1);
  const { text } = await ask("/metrics");
  const value = (name: string) =>
    Number(new RegExp(`^lightflow_runner_${name} (\\S+)$`, "m").exec(text)?.[1]);
  expect(value("slots")).toBe(3);
  expect(value('results_total\\{status="succeeded"\\}')).toBe(1);
  expect(value('results_total\\{status="failed"\\}')).toBe(1);
  expect(value("log_bytes_total")).toBe(6);
  expect(value("heartbeat_age_seconds")).toBeLessThan(20);
  // Each family has its help and type once, before its values: what a strict reader of the format asks for.
  const families = [...text.matchAll(/^# TYPE (\S+) (gauge|counter)$/gm)].map((match) => match[1]);
  expect(new Set(families).size).toBe(families.length);
  for (const line of text.split("\n").filter((each) => each !== "" && !each.startsWith("#")))
    expect(line).toMatch(/^[a-z_]+(\{[a-z]+="[^"]*"\})? -?[0-9.e+-]+$/);
  expect((await ask("/other")).status).toBe(404);
  expect((await ask("/metrics", "POST")).status).toBe(405);
  // A name that somebody else points at this host.
  const under = async (host: string) =>
    (await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { host } })).status;
  expect([
    await under(`rebound.example:${port}`),
    await under(`localhost:${port}`),
    await under(`127.0.0.1`),
  ]).toEqual([403, 200, 200]);
});

test("a runner that drains or has no session is alive and not ready", async () => {
  const port = ownPort();
  const { controller, runner } = benches.start({ sandbox: "process", healthAddress: `127.0.0.1:${port}` });
  await runner.ready;
  const readiness = async () => (await (await fetch(`http://127.0.0.1:${port}/readyz`)).json()) as object;
  controller.direct({ kind: "drain", reason: "maintenance" });
  while (JSON.stringify(await readiness()).includes('"ready"')) await Bun.sleep(20);
  expect(await readiness()).toEqual({ status: "not ready", reason: "draining" });
  expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
});
