import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newId } from "../../src/base/ids.ts";
import type { JsonObject } from "../../src/base/json.ts";
import { type Lease, ROUTES, TASK_ACTIONS } from "../../src/protocol/index.ts";
import { runBinary } from "../support/binary.ts";
import { type ControlHost, controlHost } from "../support/control-host.ts";
import { ask, audit, enroll, HandRunner, ONE, post, resultOf } from "../support/hand-runner.ts";

setDefaultTimeout(60_000);

let host: ControlHost;
let runner: HandRunner;
beforeAll(async () => {
  host = await controlHost("leases");
  runner = new HandRunner(host.url, "r");
  expect((await runner.register(await enroll(host.box, "r", "--slots", "64"), { slots: 64 })).status).toBe(
    200,
  );
});
afterAll(() => host.stop());

async function leased(run: string, workflow?: string) {
  await host.run(run, workflow);
  return await runner.lease();
}

/** What a heartbeat does not name goes back to the queue, and would be the lease of a later test. */
async function finish(lease: Lease) {
  await runner.started(lease);
  expect((await runner.task(lease, "complete", resultOf(lease))).status).toBe(200);
}

test("SR-2.1, SR-2.2: a start that is repeated counts once, another one is refused, and the first stays", async () => {
  const lease = await leased("start");
  const messageId = newId();
  const first = await runner.started(lease, { messageId });
  const same = await runner.started(lease, { messageId });
  expect({ status: same.status, expiresAt: same.body["expiresAt"] }).toEqual({
    status: 200,
    expiresAt: first.body["expiresAt"],
  });
  expect(await runner.started(lease)).toMatchObject({ status: 409, body: { code: "lease_used" } });
  expect((await runner.task(lease, "complete", resultOf(lease))).status).toBe(200);
});

test("SR-2.3, SR-2.4: a nonce is of use for its own lease alone, and a report speaks of its own task", async () => {
  const [one, two] = [await leased("nonce-1"), await leased("nonce-2")];
  expect(await runner.started(two, { nonce: one.nonce })).toMatchObject({ status: 422 });
  await runner.started(one);
  const other = await runner.task(one, "complete", resultOf(one, { taskId: "other" }));
  expect(other).toMatchObject({ status: 422, body: { code: "identity_mismatch" } });
  const foreign = new HandRunner(host.url, "r2");
  await foreign.register(await enroll(host.box, "r2"));
  expect(await foreign.task(one, "complete", resultOf(one))).toMatchObject({ status: 403 });
  expect(await host.status("nonce-1")).toBe("running");
  await finish(one);
  await finish(two);
});

test("SR-3.1: no route that a runner's credential opens knows of events, definitions or runs", async () => {
  const credentials = [runner.session.claimToken, runner.session.heartbeatToken];
  for (const token of credentials) {
    for (const path of ["/workflows", "/runs", "/runs/start/events", "/inbox", "/admin/runners"]) {
      const answer = await fetch(`${host.gateway}${path}`, { headers: { authorization: `Bearer ${token}` } });
      expect({ path, status: answer.status }).toEqual({ path, status: 401 });
      expect((await post(host.url, path, {}, token)).status).toBe(404);
    }
  }
  const event = { specversion: "1.0", id: "1", source: "s", type: "t" };
  const sent = await post(host.gateway, "/events", event, credentials[0]!);
  expect(sent.status).toBe(401);
  // All there is, and none of it hands out an event or a definition (SR-4.3).
  expect(
    [...Object.values(ROUTES), ...TASK_ACTIONS].filter((route) => /event|definition|workflow/.test(route)),
  ).toEqual([]);
  for (const path of ["/runner/definition", "/runner/events", `/runner/definition/${newId()}`]) {
    expect((await post(host.url, path, {}, runner.session.claimToken)).status).toBe(404);
  }
});

test("SR-3.3: the runner role takes no source of events, in a flag or in a configuration", async () => {
  const ran = await runBinary(
    ["runner", "--controller", host.url, "--id", "r", "--event-source", "nats://x"],
    { env: host.box.env, cwd: host.box.path },
  );
  expect(ran.code).toBe(2);
  expect(ran.stderr).toContain("--event-source");
});

test("SR-12.1, SR-12.2: a result that lacks an echo, or has a wrong one, is not accepted", async () => {
  const lease = await leased("echo");
  await runner.started(lease);
  const whole = resultOf(lease);
  for (const name of ["runnerId", "policyDigest", "artifactRefs", "taskId", "taskReference", "sandbox"]) {
    const { [name]: _, ...lacking } = whole;
    expect({ name, status: (await runner.task(lease, "complete", lacking)).status }).toEqual({
      name,
      status: 400,
    });
  }
  for (const wrong of [
    { runnerId: "r2" },
    { policyDigest: ONE },
    { taskReference: "/do/9" },
    { commandTemplateId: "never-approved" },
  ] as JsonObject[]) {
    expect((await runner.task(lease, "complete", { ...whole, ...wrong })).status).toBe(422);
  }
  expect(await host.status("echo")).toBe("running");
  expect((await runner.task(lease, "complete", whole)).status).toBe(200);
  expect(await ask(host.box, "run", "wait", "echo")).toMatchObject({ status: "succeeded" });
});

test("F56, SR-12.3: an artifact that is not there, or is not what its digest says, keeps a result from counting", async () => {
  const lease = await leased("artifact");
  await runner.started(lease);
  const bytes = Buffer.from("what was made");
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const reference = {
    name: "made",
    sha256,
    size: bytes.length,
    mediaType: "text/plain",
    uri: `artifact://sha256/${sha256}`,
  };
  const report = () => runner.task(lease, "complete", resultOf(lease, { artifactRefs: [reference] }));
  expect(await report()).toMatchObject({ status: 422, body: { code: "artifact_digest_mismatch" } });
  const put = (body: Uint8Array, more = "") =>
    fetch(
      `${host.url}/runner/task/${lease.leaseId}/artifact/${sha256}?attempt=${lease.attempt}&fencingToken=${lease.fencingToken}${more}`,
      {
        method: "PUT",
        body: new Uint8Array(body),
        headers: { authorization: `Bearer ${runner.session.claimToken}`, "lightflow-protocol": "1.0" },
      },
    );
  expect((await put(Buffer.from("something else"))).status).toBe(422);
  // A copy of the right length with a changed byte, as a broken disk or wire makes it, is set aside and is no artifact.
  expect((await put(Buffer.from("what was mode"), `&size=${bytes.length}&offset=0`)).status).toBe(422);
  const aside = readdirSync(join(host.box.path, "state/lightflow/artifacts/quarantine"));
  expect(aside.filter((name) => name.startsWith(sha256))).toHaveLength(1);
  const { uploads } = await ask(host.box, "artifact", "quarantine");
  const [upload] = uploads as Record<string, unknown>[];
  expect(upload).toMatchObject({ announced: sha256, lease_id: lease.leaseId, size: bytes.length });
  const served = await fetch(`${host.gateway}/artifacts/${sha256}`);
  expect(served.status).toBe(404);
  const discard = () => ask(host.box, "artifact", "discard", upload!["upload_id"] as string);
  expect(await discard()).toMatchObject({ announced: sha256 });
  await expect(discard()).rejects.toThrow("not found: quarantined upload");
  expect((await ask(host.box, "artifact", "quarantine"))["uploads"]).toEqual([]);
  expect((await report()).status).toBe(422);
  expect((await put(bytes)).status).toBe(200);
  expect((await report()).status).toBe(200);
});

test("SR-12.4: the audit of each finished task names runner, policy, template, artifacts and approvals, and its chain holds", async () => {
  const finished = (await audit(host.box)).filter(({ action }) => action === "result.accepted");
  expect(finished.length).toBeGreaterThan(1);
  for (const { actor, object, body } of finished) {
    expect(actor).toBe("runner:r");
    expect(object).toMatch(/^lease:/);
    expect(Object.keys(body)).toEqual(
      expect.arrayContaining(["policyDigest", "commandTemplateId", "artifactRefs", "approvalRefs"]),
    );
    expect(body["policyDigest"]).toMatch(/^sha256:/);
  }
  expect(finished.some(({ body }) => (body["artifactRefs"] as unknown[]).length === 1)).toBe(true);
  expect((await ask(host.box, "audit", "verify"))["ok"]).toBe(true);
});

test("SR-2.7: two runners race for one lease, over and over: exactly one has it each time", async () => {
  const other = new HandRunner(host.url, "racer");
  await other.register(await enroll(host.box, "racer", "--slots", "64"), { slots: 64 });
  for (let round = 0; round < 25; round++) {
    await host.run(`race-${round}`);
    const claims = await Promise.all([runner.claim({ waitMs: 30 }), other.claim({ waitMs: 30 })]);
    const won = claims.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    const lease = won[0]!.body as never as Parameters<typeof resultOf>[0];
    const winner = claims[0] === won[0] ? runner : other;
    await winner.started(lease);
    await winner.task(lease, "complete", resultOf(lease));
  }
});

test("X.10: ten thousand claims with an empty queue: each answer asks for a longer pause, and then no claim is looked at", async () => {
  const greedy = new HandRunner(host.url, "greedy");
  await greedy.register(await enroll(host.box, "greedy"));
  const waits: number[] = [];
  let refused = 0;
  for (let round = 0; round < 200; round++) {
    const answers = await Promise.all(Array.from({ length: 50 }, () => greedy.claim()));
    for (const { status, headers } of answers) {
      if (status === 429) refused++;
      else expect(status).toBe(204);
      waits.push(Number(headers.get("retry-after")));
    }
  }
  expect(refused).toBeGreaterThan(7_000);
  expect(waits[0]).toBeLessThanOrEqual(2);
  expect(waits.at(-1)).toBeGreaterThanOrEqual(60);
  // Everybody else is served as before.
  await finish(await leased("after-the-flood"));
});

test("SR-4.1, SR-4.2, SR-4.3: no byte of other tasks, of the definition or of context that is not used reaches a runner", async () => {
  const document = {
    document: {
      dsl: "1.0.3",
      namespace: "marks",
      name: "marks",
      version: "1.0.0",
      title: "MARK-title",
      summary: "MARK-summary",
      tags: { mark: "MARK-tag" },
      metadata: { note: "MARK-metadata" },
    },
    input: { schema: { document: { type: "object", description: "MARK-schema" } } },
    use: { errors: { gone: { type: "https://example.com/MARK-use", status: 410, title: "MARK-use" } } },
    do: [
      { before: { set: { hidden: "MARK-before", used: "${ .name }", rest: "${ . }" } } },
      {
        work: {
          run: { shell: { command: "echo", arguments: ["${ .used }", "own-argument"] } },
          metadata: { note: "MARK-task-metadata", lightWorkflow: {} },
        },
      },
      { after: { run: { shell: { command: "MARK-after", arguments: ["MARK-argument"] } } } },
    ],
    output: { as: '${ {mark: "MARK-output"} }' },
  };
  const file = join(host.box.path, "marks.json");
  writeFileSync(file, JSON.stringify(document));
  const input = JSON.stringify({ name: "used-value", secretish: "MARK-context" });
  await ask(host.box, "workflow", "start", file, "--id", "marks", "--input", input);
  const answer = await runner.claim({ waitMs: 10_000 });
  const seen = [JSON.stringify(answer.body), ...[...answer.headers].flat()];
  const lease = answer.body as unknown as Awaited<ReturnType<HandRunner["lease"]>>;
  expect(lease.task.arguments).toEqual(["used-value", "own-argument"]);
  for (const [action, body] of [
    ["started", { nonce: lease.nonce, startedAt: "2026-01-01T00:00:00Z" }],
    ["renew", {}],
    ["progress", { value: 1 }],
    ["complete", resultOf(lease)],
  ] as const) {
    const { status, body: said, headers } = await runner.task(lease, action, body);
    expect({ action, status }).toEqual({ action, status: 200 });
    seen.push(JSON.stringify(said), ...[...headers].flat());
  }
  seen.push(JSON.stringify((await runner.beat()).body));
  expect(seen.join("\n")).not.toContain("MARK");
  for (const path of ["/definitions/marks", "/workflows/marks", `/runner/definition/${lease.wfInstanceId}`]) {
    const refused = await post(host.url, path, {}, runner.session.claimToken);
    expect({ path, status: refused.status }).toEqual({ path, status: 404 });
  }
  await ask(host.box, "run", "cancel", "marks");
});

test("SR-2.5: a report after the lease has ended by the server's clock is refused, whatever the runner's clock says", async () => {
  const lease = await leased("late");
  expect(await runner.task(lease, "reject", { reason: "no slot" })).toMatchObject({ status: 200 });
  const far = "2099-01-01T00:00:00Z";
  for (const [action, body] of [
    ["started", { nonce: lease.nonce, startedAt: far }],
    ["renew", {}],
    ["complete", resultOf(lease, { startedAt: far, completedAt: far })],
  ] as const) {
    const { status } = await runner.task(lease, action, body);
    expect({ action, refused: status === 409 || status === 410 }).toEqual({ action, refused: true });
  }
  // It went back to the queue at once, and is the next attempt's.
  const next = await runner.lease();
  expect(next).toMatchObject({ wfInstanceId: lease.wfInstanceId, attempt: 2, fencingToken: 2 });
  await finish(next);
});

test("an operator sees why a task waits, what is out, and decides about an attempt; the same over the command line and HTTP", async () => {
  await host.run("waits", "workflow.one");
  const lease = await runner.lease();
  const out = (await ask(host.box, "leases"))["leases"] as JsonObject[];
  expect(out.map((each) => each["lease_id"])).toContain(lease.leaseId);
  await runner.started(lease);
  const unknown = resultOf(lease, {
    status: "unknown",
    exitCode: null,
    errorCode: "execution_outcome_unknown",
  });
  expect((await runner.task(lease, "fail", unknown)).status).toBe(200);
  const explained = (await ask(host.box, "tasks", "why", "waits/work"))["tasks"] as JsonObject[];
  expect(explained).toMatchObject([{ state: "unknown", attempts: 1 }]);
  const task = explained[0]!["operator_task"] as string;
  expect(await ask(host.box, "inbox", "show", task)).toMatchObject({
    kind: "outcome_unknown",
    state: "open",
    body: { run_id: "waits", step_id: "work" },
  });
  const early = await runBinary(["inbox", "resolve", task, "--note", "x"], {
    env: host.box.env,
    cwd: host.box.path,
  });
  expect({ code: early.code, hint: early.stderr.includes("attempts resolve") }).toEqual({
    code: 2,
    hint: true,
  });
  expect(await ask(host.box, "attempts", "resolve", task, "--as", "retry", "--note", "looked")).toMatchObject(
    {
      attempt: 1,
      resolved_as: "retry",
    },
  );
  const again = await runner.lease();
  expect(again).toMatchObject({ attempt: 2, fencingToken: 2 });
  expect((await runner.task(lease, "complete", resultOf(lease))).status).toBeGreaterThanOrEqual(409);
  await finish(again);
  expect(((await ask(host.box, "queue"))["tasks"] as JsonObject[]).length).toBe(0);
  expect((await audit(host.box)).filter(({ action }) => action === "attempt.resolved")).toHaveLength(1);
});
