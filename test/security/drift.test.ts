import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "../../src/base/json.ts";
import { runBinary } from "../support/binary.ts";
import { type ControlHost, controlHost } from "../support/control-host.ts";
import { ask, audit, enroll, HandRunner, ONE, resultOf } from "../support/hand-runner.ts";
import { eventually, startBinary } from "../support/processes.ts";

setDefaultTimeout(60_000);

let host: ControlHost;
beforeAll(async () => {
  host = await controlHost("drift");
});
afterAll(() => host.stop());

/** A runner on a host of its own: a quarantine holds for a whole host. */
async function onOwnHost(id: string, flags: string[] = [], more: JsonObject = {}) {
  const runner = new HandRunner(host.url, id);
  const token = await enroll(host.box, id, "--host-id", `host-${id}`, ...flags);
  const answer = await runner.register(token, { hostId: `host-${id}`, ...more });
  expect(answer.status).toBe(200);
  return runner;
}

const again = (runner: HandRunner, more: JsonObject = {}) =>
  runner.register(null, { hostId: `host-${runner.runnerId}`, ...more });
const actionsOf = async (id: string) =>
  (await audit(host.box)).filter(
    ({ actor, object, body }) =>
      actor === `runner:${id}` || object === `runner:${id}` || body["runnerId"] === id,
  );
const tasksOf = async (id: string) =>
  ((await ask(host.box, "inbox", "list"))["tasks"] as unknown as { kind: string; subject: string }[])
    .filter(({ subject }) => subject === id)
    .map(({ kind }) => kind);

test("SR-11.1, F53: a changed hash makes suspicious within one heartbeat: a waiting claim ends, a live lease may end, one entry, one task", async () => {
  const runner = await onOwnHost("sus");
  await host.run("sus-1");
  const lease = await runner.lease();
  await runner.started(lease);
  const waiting = runner.claim({ waitMs: 20_000 });
  await Bun.sleep(100);
  const beat = await runner.beat({ configHash: ONE });
  expect(beat.status).toBe(200);
  // A deep audit is asked for with the very same answer.
  expect(beat.body["directives"]).toEqual([{ kind: "audit" }]);
  expect(await waiting).toMatchObject({ status: 403, body: { code: "runner_quarantined" } });
  expect((await runner.task(lease, "complete", resultOf(lease))).status).toBe(200);
  await runner.beat({ configHash: ONE });
  expect((await actionsOf("sus")).filter(({ action }) => action === "session.suspicious")).toHaveLength(1);
  expect(await tasksOf("sus")).toEqual(["runner_new", "runner_drift"]);
  expect(await ask(host.box, "run", "wait", "sus-1")).toMatchObject({ status: "succeeded" });
});

test("a browser that is not the approved one any more makes suspicious, and so does one that is gone", async () => {
  const approved = { browserExecutable: "/usr/lib/chromium/chromium-headless-shell", browserDigest: ONE };
  const runner = await onOwnHost("browser", [], approved);
  expect((await runner.beat({ browserDigest: ONE })).body["directives"]).toEqual([]);
  const other = `sha256:${"2".repeat(64)}`;
  expect((await runner.beat({ browserDigest: other })).body["directives"]).toEqual([{ kind: "audit" }]);
  expect(await runner.claim()).toMatchObject({ status: 403, body: { code: "runner_quarantined" } });
  expect(await tasksOf("browser")).toEqual(["runner_new", "runner_drift"]);
  // One that is gone is another one, too.
  const moved = await onOwnHost("browserless", [], approved);
  expect((await moved.beat()).body["directives"]).toEqual([{ kind: "audit" }]);
  expect((await moved.claim()).status).toBe(403);
});

test("SR-11.2: a snapshot that differs in any of its parts: quarantined, credential revoked, lease taken back, entry, task, in this order", async () => {
  const differing: JsonObject = {
    sandboxTemplates: ["other"],
    mounts: ["/"],
    networkPolicy: "open",
    secretBindings: ["release-key"],
    // A list that fits its own digest, which heartbeats have told otherwise.
    commands: ["curl"],
  };
  for (const [field, value] of Object.entries(differing)) {
    const id = `deep-${field.toLowerCase()}`;
    const runner = await onOwnHost(id);
    expect((await runner.snapshot()).body).toEqual({ verdict: "match", fields: [] });
    await host.run(id);
    const lease = await runner.lease();
    await runner.started(lease);
    const verdict = (await runner.snapshot({ [field]: value! })).body;
    expect(verdict["verdict"]).toBe("mismatch");
    expect(verdict["fields"]).toContain(field);
    expect(await runner.claim()).toMatchObject({ status: 401, body: { code: "runner_session_inactive" } });
    expect((await runner.beat()).status).toBe(401);
    const actions = (await actionsOf(id)).map(({ action }) => action);
    expect(actions.filter((action) => action !== "message.refused").slice(-3)).toEqual([
      "snapshot.mismatch",
      "lease.fenced",
      "runner.quarantined",
    ]);
    expect(await tasksOf(id)).toEqual(["runner_new", "runner_quarantined"]);
    // SR-11.3: what it still reports is kept for whoever looks into it, and moves nothing.
    const late = await runner.task(lease, "complete", resultOf(lease));
    expect(late).toMatchObject({ status: 410, body: { code: "lease_revoked" } });
    expect(await host.status(id)).toBe("running");
    expect(await again(runner)).toMatchObject({ status: 403, body: { code: "registration_refused" } });
  }
});

test("a quarantine may let live leases end, when the admission says so; there is no new one", async () => {
  const runner = await onOwnHost("gentle", ["--on-quarantine", "finish"]);
  await host.run("gentle");
  const lease = await runner.lease();
  await runner.started(lease);
  await ask(host.box, "runners", "quarantine", "gentle", "--reason", "strange traffic");
  expect((await runner.claim()).status).toBe(401);
  expect((await runner.task(lease, "renew")).status).toBe(200);
  expect((await runner.beat()).status).toBe(200);
  expect((await runner.task(lease, "complete", resultOf(lease))).status).toBe(200);
  expect((await runner.beat()).status).toBe(401);
  expect(await ask(host.box, "run", "wait", "gentle")).toMatchObject({ status: "succeeded" });
});

test("a quarantine takes back what was offered and not started: another runner gets it at once", async () => {
  const [first, second] = [await onOwnHost("before"), await onOwnHost("after")];
  await host.run("moved");
  const lease = await first.lease();
  const waiting = second.claim({ waitMs: 20_000 });
  await ask(host.box, "runners", "quarantine", "before");
  const moved = await waiting;
  expect(moved.body).toMatchObject({ wfInstanceId: lease.wfInstanceId, attempt: 2, fencingToken: 2 });
  expect(await first.started(lease)).toMatchObject({ status: 410 });
});

test("SR-11.5: a roll-out: suspicious until an operator approves, then active again; the same at registration", async () => {
  const runner = await onOwnHost("rollout");
  await runner.beat({ configHash: ONE });
  expect((await runner.claim()).status).toBe(403);
  expect(await ask(host.box, "runners", "approve", "rollout")).toEqual({
    runner_id: "rollout",
    approved: { configHash: ONE },
  });
  expect((await runner.claim()).status).toBe(204);
  expect((await runner.beat({ configHash: ONE })).status).toBe(200);
  expect((await runner.claim()).status).toBe(204);
  expect(await tasksOf("rollout")).toEqual([]);
  // The next version comes with a new executable, and is not let in before somebody has looked.
  expect((await again(runner, { configHash: ONE, binaryDigest: ONE })).status).toBe(403);
  expect(await tasksOf("rollout")).toEqual(["runner_drift"]);
  await ask(host.box, "runners", "approve", "rollout");
  expect((await again(runner, { configHash: ONE, binaryDigest: ONE })).status).toBe(200);
});

test("SR-11.6: a fresh runner on the host of a quarantined one stays out; only an operator brings both back", async () => {
  const runner = await onOwnHost("bad");
  await runner.snapshot();
  await runner.snapshot({ mounts: ["/"] });
  const token = await enroll(host.box, "bad-again", "--host-id", "host-bad");
  const fresh = new HandRunner(host.url, "bad-again");
  const come = () => fresh.register(token, { hostId: "host-bad" });
  expect(await come()).toMatchObject({ status: 403, body: { code: "registration_refused" } });
  // Enrolling the same id anew does not wash it clean.
  const anew = await runBinary(
    ["runner", "enroll", "bad", "--host-id", "host-bad", "--out", "bad-anew.token"],
    { env: host.box.env, cwd: host.box.path },
  );
  expect(JSON.parse(anew.stdout)).toMatchObject({ quarantined: true });
  await ask(host.box, "runners", "release", "bad");
  expect((await come()).status).toBe(403);
  await ask(host.box, "runners", "release", "bad-again");
  expect((await come()).status).toBe(200);
  expect(await tasksOf("bad")).not.toContain("runner_quarantined");
});

test("F52: a runner that an operator drains hears of it at once, and gets nothing more", async () => {
  const [other, runner] = [await onOwnHost("not-drained"), await onOwnHost("drained")];
  // Who is told nothing waits as long as anybody may, and has begun before.
  const longest = other.beat({ waitMs: 20_000 }).then(() => "at the end of its wait");
  await Bun.sleep(100);
  const held = runner.beat({ waitMs: 20_000 });
  await Bun.sleep(100);
  await ask(host.box, "runners", "drain", "drained", "--reason", "upgrade");
  expect(await Promise.race([held.then(() => "at once"), longest])).toBe("at once");
  expect((await held).body["directives"]).toEqual([{ kind: "drain", reason: "upgrade" }]);
  expect(await runner.claim()).toMatchObject({ status: 403, body: { code: "runner_draining" } });
});

test("an operator asks for a snapshot: a held heartbeat is answered at once, and again until the snapshot has come", async () => {
  const runner = await onOwnHost("asked");
  const held = runner.beat({ waitMs: 20_000 });
  await Bun.sleep(100);
  await ask(host.box, "runners", "audit", "asked");
  expect((await held).body["directives"]).toEqual([{ kind: "audit" }]);
  expect((await runner.beat()).body["directives"]).toEqual([{ kind: "audit" }]);
  await runner.snapshot();
  expect((await runner.beat()).body["directives"]).toEqual([]);
});

test("a runner whose watchdog stands still or whose journal fails gets nothing until it is well", async () => {
  const runner = await onOwnHost("ill");
  for (const ill of [
    { watchdog: "stalled" },
    { journal: "failed" },
    { status: "unhealthy" },
  ] as JsonObject[]) {
    await runner.beat(ill);
    await host.run(`ill-${Object.keys(ill)[0]}`);
    const answer = await runner.claim();
    expect(answer.status).not.toBe(200);
    await runner.beat();
    expect((await runner.claim({ waitMs: 5_000 })).status).toBe(200);
  }
});

test("a real runner: quarantined it loses its work and its way in, released it comes back by itself, and its key was never enough", async () => {
  const token = await enroll(host.box, "real", "--host-id", "host-real");
  const file = join(host.box.path, "real.token");
  writeFileSync(file, token, { mode: 0o600 });
  const real = await startBinary(
    ["runner", "--controller", host.url, "--token-file", file, "--id", "real", "--host-id", "host-real"],
    { ...host.box.env, LIGHTFLOW_RUNNER_SANDBOX: "process" },
    host.box.path,
  );
  try {
    const session = async () =>
      (await ask(host.box, "runners", "show", "real"))["session"] as JsonObject | null;
    await ask(host.box, "runners", "quarantine", "real", "--reason", "drill");
    await eventually(
      async () =>
        (await actionsOf("real")).some(
          ({ action, body }) =>
            action === "message.refused" && body["reason"] === "the runner is quarantined",
        ),
      (refused) => refused,
    );
    expect(await session()).toMatchObject({ state: "quarantined" });
    await ask(host.box, "runners", "release", "real");
    await eventually(session, (now) => now?.["state"] === "active");
    await host.run("real");
    expect(await ask(host.box, "run", "wait", "real")).toMatchObject({ status: "succeeded" });
  } finally {
    await real.stop();
  }
});
