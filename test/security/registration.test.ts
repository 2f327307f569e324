import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { sha256 } from "../../src/base/canonical.ts";
import { newId, randomToken } from "../../src/base/ids.ts";
import type { JsonObject } from "../../src/base/json.ts";
import { newSigningKey, signRegistration } from "../../src/protocol/index.ts";
import { runBinary } from "../support/binary.ts";
import { type ControlHost, controlHost } from "../support/control-host.ts";
import {
  ask,
  audit,
  challengeOf,
  enroll,
  facts,
  HandRunner,
  ONE,
  post,
  resultOf,
} from "../support/hand-runner.ts";
import { eventually, startBinary } from "../support/processes.ts";

setDefaultTimeout(60_000);

let host: ControlHost;
beforeAll(async () => {
  host = await controlHost("registration");
});
afterAll(() => host.stop());

const known = async (id: string, ...flags: string[]) => {
  const runner = new HandRunner(host.url, id);
  expect((await runner.register(await enroll(host.box, id, ...flags))).status).toBe(200);
  return runner;
};

/** A refusal without what differs from message to message. */
const shape = ({ status, body }: { status: number; body: JsonObject }) => ({ status, body });

test("SR-1.1: no credential, an unknown one, a used one, a wrong signature and a made-up challenge get one answer, and no session", async () => {
  const token = await enroll(host.box, "first");
  const wrongKey = newSigningKey();
  const stranger = new HandRunner(host.url, "first");
  const answers = [
    await post(host.url, "/runner/register", await stranger.registration(), null),
    await post(host.url, "/runner/register", await stranger.registration(), randomToken()),
    // Signed by another key than it names.
    await post(
      host.url,
      "/runner/register",
      { ...(await stranger.registration()), publicKey: wrongKey.publicKey },
      token,
    ),
    // A challenge that no controller made.
    await post(
      host.url,
      "/runner/register",
      signRegistration(
        { ...facts("first"), challenge: `${randomToken(16)}.zzzz.${randomToken()}` } as never,
        stranger.key,
      ),
      token,
    ),
  ];
  expect((await stranger.register(token)).status).toBe(200);
  // The token was good once.
  const late = new HandRunner(host.url, "first");
  answers.push(await late.register(token));
  for (const answer of answers) expect(shape(answer)).toEqual(shape(answers[0]!));
  expect(answers[0]).toMatchObject({ status: 401, body: { code: "unauthenticated" } });
  const shown = await ask(host.box, "runners", "show", "first");
  expect(shown["session"]).toMatchObject({ generation: 1 });
});

test("SR-1.2, SR-1.3: another tenant, runner or host than the credential's get one answer, whether or not there is such a one", async () => {
  await known("other");
  const token = await enroll(host.box, "mine");
  const mine = new HandRunner(host.url, "mine");
  const answers = [];
  for (const lie of [
    { tenantId: "tenant-b" },
    { runnerId: "other" },
    { runnerId: "nobody" },
    { hostId: "elsewhere" },
  ] as JsonObject[]) {
    answers.push(shape(await mine.register(token, lie)));
  }
  for (const answer of answers) expect(answer).toEqual(answers[0]!);
  expect(answers[0]).toMatchObject({ status: 403, body: { code: "registration_refused" } });
  expect((await ask(host.box, "runners", "show", "mine"))["session"]).toBeNull();
  // None of it used the token up.
  expect((await mine.register(token)).status).toBe(200);
});

test("SR-1.5: a captured registration is of no use a second time, with its token or without", async () => {
  const token = await enroll(host.box, "captured");
  const runner = new HandRunner(host.url, "captured");
  const message = await runner.registration();
  expect((await post(host.url, "/runner/register", message, token)).status).toBe(200);
  for (const bearer of [token, null]) {
    expect(await post(host.url, "/runner/register", message, bearer)).toMatchObject({ status: 401 });
  }
  expect((await ask(host.box, "runners", "show", "captured"))["session"]).toMatchObject({ generation: 1 });
});

test("SR-1.6, SR-1.7: a credential does its own thing, and that of an older connection nothing", async () => {
  const runner = await known("twice");
  const old = runner.session;
  expect(await runner.claim({}, old.heartbeatToken)).toMatchObject({ status: 403 });
  expect(await runner.beat({}, old.claimToken)).toMatchObject({ status: 403 });
  const admin = await fetch(`${host.gateway}/admin/runners`, {
    headers: { authorization: `Bearer ${old.claimToken}` },
  });
  expect(admin.status).toBe(401);
  // The second connection has no token any more: the key is enough.
  expect(await runner.register()).toMatchObject({ status: 200, body: { generation: 2 } });
  expect(await runner.claim({ sessionId: old.sessionId }, old.claimToken)).toMatchObject({
    status: 401,
    body: { code: "runner_session_inactive" },
  });
  expect((await runner.beat({ sessionId: old.sessionId }, old.heartbeatToken)).status).toBe(401);
  expect((await runner.claim()).status).toBe(204);
});

test("SR-1.8: the runner's own key is for its owner alone: open to others, a link or no key, and it does not start", async () => {
  const token = await enroll(host.box, "keyed", "--host-id", "keyed-host");
  const data = join(host.box.path, "keyed-data");
  const file = join(host.box.path, "keyed.token");
  writeFileSync(file, token, { mode: 0o600 });
  const start = () =>
    runBinary(
      [
        ...["runner", "--controller", "http://127.0.0.1:1", "--token-file", file, "--id", "keyed"],
        ...["--data-dir", data, "--host-id", "keyed-host"],
      ],
      { env: { ...host.box.env, LIGHTFLOW_RUNNER_SANDBOX: "process" }, cwd: host.box.path },
    );
  const identity = join(data, "identity.json");
  // A key as another would plant it.
  mkdirSync(data, { mode: 0o700 });
  const key = JSON.stringify(newSigningKey());
  for (const plant of [
    () => writeFileSync(identity, key, { mode: 0o644 }),
    () => {
      renameSync(identity, `${identity}.real`);
      chmodSync(`${identity}.real`, 0o600);
      symlinkSync(`${identity}.real`, identity);
    },
    () => {
      renameSync(identity, `${identity}.link`);
      writeFileSync(identity, "{}", { mode: 0o600 });
    },
  ]) {
    plant();
    const ran = await start();
    expect({ code: ran.code, named: ran.stderr.includes("identity.json") }).toEqual({ code: 2, named: true });
  }
});

test("a runner's key is made with mode 0600 at its first start, and lets it in without a token at the next", async () => {
  const token = await enroll(host.box, "real", "--host-id", "real-host", "--slots", "2");
  const file = join(host.box.path, "real.token");
  writeFileSync(file, token, { mode: 0o600 });
  const args = [
    "runner",
    "--controller",
    host.url,
    "--id",
    "real",
    "--host-id",
    "real-host",
    "--data-dir",
    "real-data",
  ];
  const first = await startBinary([...args, "--token-file", file], host.box.env, host.box.path);
  expect(statSync(join(host.box.path, "real-data/identity.json")).mode & 0o777).toBe(0o600);
  await first.stop();
  const second = await startBinary(args, host.box.env, host.box.path);
  expect((await ask(host.box, "runners", "show", "real"))["session"]).toMatchObject({ generation: 2 });
  await second.stop();
});

test("X.7, SR-5.1: what is approved counts, not what a runner claims for itself", async () => {
  const token = await enroll(
    host.box,
    "greedy",
    "--sandbox",
    "none",
    "--slots",
    "2",
    "--model-scope",
    "tenant",
  );
  const greedy = new HandRunner(host.url, "greedy");
  const strong = { provider: "vm", template: "strong", boundary: "micro-vm", features: [] };
  const answer = await greedy.register(token, {
    runnerPools: ["default", "release"],
    capabilities: ["docker"],
    executionProfiles: ["default", "release-sandbox"],
    sandbox: { modes: ["none", "per-publish"], providers: [strong] },
    modelProviderScopes: ["tenant", "saas"],
    slots: 1000,
  });
  expect(answer.body["effective"]).toEqual({
    runnerPools: ["default"],
    executionProfiles: ["default"],
    capabilities: [],
    sandboxModes: ["none"],
    modelProviderScopes: ["tenant"],
    slots: 2,
  });
});

test("an admission that says exactly what a runner is lets in that one alone; described by the runner's own host", async () => {
  const args = ["--id", "exact", "--host-id", "exact-host", "--data-dir", join(host.box.path, "exact-data")];
  const described = await runBinary(["runner", "describe", ...args], {
    env: host.box.env,
    cwd: host.box.path,
  });
  writeFileSync(join(host.box.path, "exact.json"), described.stdout);
  const document = JSON.parse(described.stdout) as JsonObject;
  const token = await enroll(host.box, "exact", "--admission", "exact.json", "--host-id", "exact-host");
  const file = join(host.box.path, "exact.token");
  writeFileSync(file, token, { mode: 0o600 });
  const lie = new HandRunner(host.url, "exact");
  expect(await lie.register(token, { hostId: "exact-host" })).toMatchObject({ status: 403 });
  const tasks = (await ask(host.box, "inbox", "list"))["tasks"] as unknown as {
    kind: string;
    subject: string;
  }[];
  expect(tasks.filter(({ subject }) => subject === "exact").map(({ kind }) => kind)).toEqual([
    "runner_drift",
  ]);
  const real = await startBinary(
    ["runner", "--controller", host.url, "--token-file", file, ...args],
    host.box.env,
    host.box.path,
  );
  const shown = await ask(host.box, "runners", "show", "exact");
  expect(shown["session"]).toMatchObject({ state: "active" });
  expect((shown["admission"] as JsonObject)["binaryDigest"]).toBe(document["binaryDigest"]!);
  await ask(host.box, "runners", "audit", "exact");
  await eventually(
    async () =>
      (await audit(host.box)).filter(
        ({ actor, action }) => actor === "runner:exact" && action === "snapshot.match",
      ),
    (found) => found.length === 1,
  );
  await real.stop();
});

test("a new runner leaves an audit entry and a task for an operator, which approving settles", async () => {
  await known("fresh");
  const open = async () =>
    (
      (await ask(host.box, "inbox", "list"))["tasks"] as unknown as {
        id: string;
        kind: string;
        subject: string;
        body: { pinned: JsonObject };
      }[]
    ).filter(({ subject }) => subject === "fresh");
  const [task] = await open();
  expect(task).toMatchObject({ kind: "runner_new" });
  // What the admission named was approved with it: to be looked at is the rest.
  const { admission } = await ask(host.box, "runners", "show", "fresh");
  const named = Object.keys(admission as JsonObject);
  expect(Object.keys(task!.body.pinned)).not.toBeEmpty();
  expect(Object.keys(task!.body.pinned).filter((name) => named.includes(name))).toEqual([]);
  expect((await ask(host.box, "inbox", "show", task!.id))["next"]).toBe(
    "lightflow runners show fresh, then lightflow runners approve fresh",
  );
  expect(
    (await audit(host.box)).filter(
      ({ action, actor }) => action === "runner.new" && actor === "runner:fresh",
    ),
  ).toHaveLength(1);
  await ask(host.box, "runners", "approve", "fresh");
  expect(await open()).toEqual([]);
});

test("F67, X.8: another major, an unknown field, a binary frame and an oversize body are refused; the session goes on", async () => {
  const runner = await known("odd");
  const bad = async (body: unknown, headers: Record<string, string> = {}) =>
    (await post(host.url, "/runner/claim", body, runner.session.claimToken, headers)).body["code"];
  const claim = {
    messageId: newId(),
    runnerId: "odd",
    sessionId: runner.session.sessionId,
    freeSlots: 1,
    waitMs: 0,
  };
  expect(await bad(claim, { "lightflow-protocol": "2.0" })).toBe("protocol_unsupported");
  expect(await bad({ ...claim, extra: 1 })).toBe("invalid_request");
  expect(await bad("\u0000\u0001", { "content-type": "application/octet-stream" })).toBe(
    "unsupported_media_type",
  );
  expect(await bad(`{"x":"${"x".repeat(1 << 20)}"}`)).toBe("payload_too_large");
  expect((await runner.claim()).status).toBe(204);
});

test("X.9: duplicate keys and unsafe integers of a signed body are refused before anything is looked up", async () => {
  const runner = await known("strict");
  const text = JSON.stringify(await runner.registration());
  for (const body of [
    text.replace("{", '{"slots":1,'),
    text.replace('"slots":4', '"slots":9007199254740993'),
  ]) {
    expect(await post(host.url, "/runner/register", body, null)).toMatchObject({ status: 400 });
  }
});

test("each refused message leaves one audit entry that names who, what and why; a flood of them does not fill the log", async () => {
  const runner = await known("noisy");
  const mine = async () =>
    (await audit(host.box)).filter(
      ({ action, actor }) => action === "message.refused" && actor === "runner:noisy",
    );
  expect((await runner.claim({ sessionId: newId() })).status).toBe(401);
  expect(await mine()).toMatchObject([
    {
      object: "POST /runner/claim",
      body: { code: "runner_session_inactive", sessionId: runner.session.sessionId },
    },
  ]);
  await Promise.all(Array.from({ length: 500 }, () => runner.claim({ runnerId: "x" })));
  expect((await mine()).length).toBeLessThan(30);
  const unknown = async () => (await audit(host.box, "_")).length;
  const before = await unknown();
  await Promise.all(Array.from({ length: 200 }, () => post(host.url, "/runner/claim", {}, randomToken())));
  expect((await unknown()) - before).toBeLessThan(30);
  expect((await ask(host.box, "audit", "verify"))["ok"]).toBe(true);
  expect((await ask(host.box, "audit", "verify", "--tenant", "_"))["ok"]).toBe(true);
});

test("tenants: a runner of one sees nothing of another's, and its operators' views hold its own alone", async () => {
  const token = await enroll(host.box, "foreign", "--tenant", "tenant-b");
  const foreign = new HandRunner(host.url, "foreign");
  expect((await foreign.register(token, { tenantId: "tenant-b" })).status).toBe(200);
  await host.run("tenants");
  expect((await foreign.claim()).status).toBe(204);
  const own = await known("own");
  const lease = await own.lease();
  // SR-1.4: whatever it asks of another tenant's lease, it hears what it would hear of one that there is not.
  const nobody = { ...lease, leaseId: newId() };
  const upload = async (leaseId: string) => {
    const query = `attempt=${lease.attempt}&fencingToken=${lease.fencingToken}`;
    const response = await fetch(`${host.url}/runner/task/${leaseId}/artifact/${"0".repeat(64)}?${query}`, {
      method: "PUT",
      body: "bytes",
      headers: { authorization: `Bearer ${foreign.session.claimToken}`, "lightflow-protocol": "1.0" },
    });
    return { status: response.status, body: (await response.json()) as JsonObject };
  };
  const asked: [string, (of: typeof lease) => Promise<{ status: number; body: JsonObject }>][] = [
    ["renew", (of) => foreign.task(of, "renew")],
    ["started", (of) => foreign.started(of)],
    ["reject", (of) => foreign.task(of, "reject", { reason: "no" })],
    ["complete", (of) => foreign.task(of, "complete", resultOf(of))],
    ["artifact", (of) => upload(of.leaseId)],
  ];
  for (const [what, send] of asked) {
    const [seen, unknown] = [await send(lease), await send(nobody)];
    expect({ what, ...shape(seen) }).toEqual({ what, ...shape(unknown) });
    expect(seen).toMatchObject({ status: 404, body: { code: "lease_not_found" } });
  }
  const ids = async (...flags: string[]) =>
    ((await ask(host.box, "runners", "list", ...flags))["runners"] as unknown as { runner_id: string }[]).map(
      (each) => each.runner_id,
    );
  expect(await ids("--tenant", "tenant-b")).toEqual(["foreign"]);
  expect(await ids()).not.toContain("foreign");
  await own.started(lease);
});

test("an unused challenge costs the controller nothing: no row is written", async () => {
  const end = async () => (await ask(host.box, "audit", "verify"))["end"];
  const before = await end();
  await Promise.all(Array.from({ length: 100 }, () => challengeOf(host.url)));
  expect(await end()).toBe(before!);
});

test("nothing that lets a runner in stands in any file of the state directory", async () => {
  const token = await enroll(host.box, "secretive");
  const runner = new HandRunner(host.url, "secretive");
  await runner.register(token);
  const secrets = [token, runner.session.claimToken, runner.session.heartbeatToken, runner.key.secret];
  const state = join(host.box.path, "state/lightflow");
  expect(existsSync(state)).toBe(true);
  for (const name of readdirSync(state, { recursive: true, encoding: "utf8" })) {
    const path = join(state, name);
    if (!statSync(path).isFile()) continue;
    const bytes = await Bun.file(path).text();
    expect({ name, holds: secrets.filter((secret) => bytes.includes(secret)) }).toEqual({ name, holds: [] });
  }
});

test("SR-11.1: one hash that is not the registered one, of four, is found by the next heartbeat", async () => {
  for (const field of ["configHash", "commandAllowlistHash", "binaryDigest", "imageDigest"]) {
    const runner = await known(`drift-${field.toLowerCase()}`);
    expect((await runner.beat({ [field]: ONE })).status).toBe(200);
    expect(await runner.claim()).toMatchObject({ status: 403, body: { code: "runner_quarantined" } });
  }
});

test("an operator enrols over HTTP with scope admin alone, and the token itself never travels", async () => {
  const bearer = async (...scopes: string[]) =>
    (await ask(host.box, "token", "create", "op", ...scopes.flatMap((scope) => ["--scope", scope])))[
      "token"
    ] as string;
  const token = randomToken();
  const admission = {
    ...{ tenantId: "default", runnerId: "http", hostId: "h", slots: 1 },
    ...{ runnerPools: ["default"], executionProfiles: ["default"], capabilities: [] },
  };
  const body = { admission, token_sha256: sha256(token) };
  expect((await post(host.gateway, "/admin/runners", body, await bearer("run"))).status).toBe(403);
  const admin = await bearer("admin");
  const other = { ...body, admission: { ...admission, tenantId: "tenant-b" } };
  expect((await post(host.gateway, "/admin/runners", other, admin)).status).toBe(403);
  expect(await post(host.gateway, "/admin/runners", body, admin)).toMatchObject({ status: 201 });
  expect((await new HandRunner(host.url, "http").register(token)).status).toBe(200);
  // The same token cannot stand for a second runner.
  await post(host.gateway, "/admin/runners", { ...body, token_sha256: sha256("a") }, admin);
  const second = { admission: { ...admission, runnerId: "http-2" }, token_sha256: sha256("a") };
  expect(await post(host.gateway, "/admin/runners", second, admin)).toMatchObject({ status: 409 });
  const seen = await fetch(`${host.gateway}/admin/audit/entries?action=runner.enrolled`, {
    headers: { authorization: `Bearer ${admin}` },
  });
  expect(((await seen.json()) as { entries: { actor: string }[] }).entries.at(-1)!.actor).toContain("op");
});
