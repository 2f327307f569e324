import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runBinary, sandbox } from "../support/binary.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";

/** Approvals from outside: the executable, its commands and its gateway, and a host with its own runner. */
const box = sandbox("approvals");
let host: Started;
beforeAll(async () => {
  host = await startBinary(["up", "--no-ctx", "--port", "0", "--controller-port", "0"], box.env, box.path);
});
afterAll(async () => {
  await host.stop();
  box.remove();
});

async function lightflow(...args: string[]) {
  const ran = await runBinary(args, { env: box.env, cwd: box.path });
  return { ...ran, json: (ran.stdout === "" ? null : JSON.parse(ran.stdout)) as Record<string, unknown> };
}
const ok = async (...args: string[]) => {
  const ran = await lightflow(...args);
  if (ran.code !== 0) throw new Error(`${args.join(" ")}: ${ran.stderr}`);
  return ran.json;
};

async function start(name: string, light: object, argument = "1.0"): Promise<string> {
  const document = {
    document: { dsl: "1.0.3", namespace: "t", name, version: "1.0.0" },
    do: [
      {
        release: {
          run: { shell: { command: "printf", arguments: ["published %s", argument] } },
          metadata: { lightWorkflow: light },
        },
      },
    ],
  };
  writeFileSync(join(box.path, `${name}.json`), JSON.stringify(document));
  return (await ok("workflow", "start", `${name}.json`))["run_id"] as string;
}
const publishing = {
  security: { allow: { actions: ["publish"] } },
  approval: { target: "registry.example/app" },
};
interface Listed {
  readonly id: string;
  readonly run_id: string;
  readonly requester: string;
}
const waiting = async (run: string) => {
  const { approvals } = (await ok("approvals", "list")) as { approvals: { id: string; run_id: string }[] };
  return approvals.find(({ run_id }) => run_id === run)!.id;
};
const status = async (run: string) => (await ok("run", "get", run))["status"] as string;
const ended = (run: string) =>
  eventually(
    () => status(run),
    (now) => ["succeeded", "failed", "cancelled"].includes(now),
  );

test("SR-10.1, SR-10.6: what publishes waits with no lease and nothing queued; show says exactly what would happen", async () => {
  const run = await start("first", publishing);
  const id = await waiting(run);
  expect((await ok("leases"))["leases"]).toEqual([]);
  expect(JSON.stringify(await ok("queue"))).not.toContain(run);
  const shown = await ok("approvals", "show", id);
  expect(shown).toMatchObject({
    state: "requested",
    operations: ["publish"],
    target: "registry.example/app",
    action: {
      task: { command: "printf", arguments: ["published %s", "1.0"] },
      sandbox: { mode: "per-publish" },
    },
    binding: { policyDigest: expect.stringMatching(/^sha256:/), argumentDigest: expect.any(String) },
    changes: null,
  });
  const inbox = (await ok("inbox", "list")) as { tasks: { kind: string; subject: string }[] };
  expect(inbox.tasks).toMatchObject([{ kind: "approval", subject: `approval:${id}` }]);
  expect(await status(run)).toBe("running");
  await ok("approvals", "reject", id, "--note", "not today");
  expect(await ended(run)).toBe("failed");
  expect(JSON.stringify(await ok("run", "get", run))).toContain("not today");
});

test("SR-10.3, SR-12.4: an approval is one attempt; the next one shows what differs from it", async () => {
  const run = await start("second", publishing);
  const id = await waiting(run);
  const both = await Promise.all([
    lightflow("approvals", "approve", id),
    lightflow("approvals", "approve", id),
  ]);
  expect(both.map(({ code }) => code === 0).sort()).toEqual([false, true]);
  expect(await ended(run)).toBe("succeeded");
  expect((await lightflow("approvals", "approve", id)).stderr).toContain("is consumed");
  const audit = (await lightflow("audit", "tail")).stdout;
  for (const action of ["approval.requested", "approval.approved"]) expect(audit).toContain(action);
  expect(audit.replaceAll(/\s/g, "")).toContain(`"approvalRefs":["${id}"]`);
  expect((await lightflow("audit", "verify")).code).toBe(0);

  const again = await waiting(await start("second", publishing, "2.0"));
  const { changes } = (await ok("approvals", "show", again)) as {
    changes: { differences: { path: string }[] };
  };
  expect(changes.differences.map(({ path }) => path)).toContain("/action/task/arguments/1");
  await ok("approvals", "reject", again);
});

test("SR-10.2: who lacks the role is refused over HTTP, and so is whoever asked where duties are separate", async () => {
  const token = async (name: string, ...roles: string[]) => {
    const made = await ok(
      "token",
      "create",
      name,
      "--scope",
      "run",
      ...roles.flatMap((role) => ["--role", role]),
    );
    return made["token"] as string;
  };
  const approve = async (id: string, secret: string) =>
    (
      await fetch(`${host.ready["gateway"]}/approvals/${id}/approve`, {
        method: "POST",
        headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
        body: "{}",
      })
    ).status;
  const run = await start("third", {
    ...publishing,
    security: { allow: { actions: ["publish"] }, approvalSeparation: true },
  });
  const id = await waiting(run);
  expect(await approve(id, await token("ci"))).toBe(403);
  expect(await approve(id, await token("viewer", "viewer"))).toBe(403);
  const own = await lightflow("approvals", "approve", id);
  expect(own.stderr).toContain("somebody else has to approve");
  // Without a token it may be the very same person, at another door.
  const gateway = host.ready["gateway"]!;
  const headers = { "content-type": "application/json" };
  const unnamed = await fetch(`${gateway}/approvals/${id}/approve`, { method: "POST", headers, body: "{}" });
  expect([unnamed.status, await unnamed.text()]).toEqual([
    403,
    expect.stringContaining("nobody said who this is"),
  ]);
  const boss = await token("boss", "approver");
  expect(await approve(id, boss)).toBe(200);
  expect(await ended(run)).toBe("succeeded");

  // Whoever sends the event that starts a run has started it; who did it without a name can be anybody.
  await ok("workflow", "publish", "third.json");
  const send = async (event: string, authorization: Record<string, string>) => {
    const data = { workflow: { namespace: "t", name: "third" }, run_id: event };
    const body = JSON.stringify({ id: event, source: "/test", type: "workflow.start.main", data });
    const sent = await fetch(`${gateway}/events`, {
      method: "POST",
      headers: { ...headers, ...authorization },
      body,
    });
    expect([sent.status, await sent.text()]).toEqual([202, expect.stringContaining(event)]);
    return await eventually(
      async () =>
        ((await ok("approvals", "list")) as { approvals: Listed[] }).approvals.find(
          (each) => each.run_id === event,
        ),
      (found) => found !== undefined,
    );
  };
  const sent = (await send("by-event", { authorization: `Bearer ${boss}` }))!;
  expect(sent.requester).toBe("boss");
  expect(await approve(sent.id, boss)).toBe(403);
  await ok("approvals", "approve", sent.id);
  expect(await ended("by-event")).toBe("succeeded");
  const unknown = (await send("by-nobody", {}))!;
  expect((await lightflow("approvals", "approve", unknown.id)).stderr).toContain(
    "nobody knows who started the run",
  );
  await ok("approvals", "reject", unknown.id);
  expect(await ended("by-nobody")).toBe("failed");
});

test("SR-10.2: an artifact that was changed on disk, or policy that changed since, makes the approval invalid", async () => {
  writeFileSync(join(box.path, "app.tar"), "the bytes that were reviewed");
  const { sha256 } = (await ok("artifact", "put", "app.tar")) as { sha256: string };
  const run = await start("fourth", { ...publishing, files: [`sha256:${sha256}`] });
  const id = await waiting(run);
  expect(await ok("approvals", "show", id)).toMatchObject({ binding: { artifacts: [`sha256:${sha256}`] } });
  writeFileSync(
    join(box.path, "state/lightflow/artifacts/sha256", sha256.slice(0, 2), sha256),
    "other bytes entirely",
  );
  const refused = await lightflow("approvals", "approve", id);
  expect(refused.stderr).toContain("is not what it was");
  expect(await ended(run)).toBe("failed");

  const other = await start("fifth", publishing);
  const second = await waiting(other);
  writeFileSync(join(box.path, "tenant.json"), '{"tenantDataToSaas":false}');
  await ok("policy", "publish", "tenant", "tenant.json");
  expect((await lightflow("approvals", "approve", second)).stderr).toContain("policy has changed");
  expect(await ended(other)).toBe("failed");
});

test("SR-10.1: what waits outlives a kill of the host, and is approved after it", async () => {
  const run = await start("sixth", publishing);
  const id = await waiting(run);
  await host.kill();
  host = await startBinary(["up", "--no-ctx", "--port", "0", "--controller-port", "0"], box.env, box.path);
  expect(await waiting(run)).toBe(id);
  await ok("approvals", "approve", id);
  expect(await ended(run)).toBe("succeeded");
});

/** A run that publishes, and goes on with whatever its approval comes to. */
async function catching(name: string, more: object = {}, script = "true"): Promise<string> {
  const release = {
    run: { shell: { command: "sh", arguments: ["-c", script] } },
    metadata: { lightWorkflow: { ...publishing, ...more } },
  };
  const note = { set: { caught: "${ $e.data.code }", detail: "${ $e.detail }" } };
  const document = {
    document: { dsl: "1.0.3", namespace: "t", name, version: "1.0.0" },
    do: [{ guarded: { try: [{ release }], catch: { as: "e", do: [{ note }] } } }],
  };
  writeFileSync(join(box.path, `${name}.json`), JSON.stringify(document));
  return (await ok("workflow", "start", `${name}.json`))["run_id"] as string;
}
const caught = async (run: string) => {
  expect(await ended(run)).toBe("succeeded");
  return ((await ok("run", "get", run))["output"] as { caught: string }).caught;
};
const refusals = async (id: string) =>
  (
    (await ok("audit", "tail", "--action", "approval.refused"))["entries"] as {
      actor: string;
      object: string;
      body: { reason: string };
    }[]
  ).filter(({ object }) => object === `approval:${id}`);
const store = (sql: string, ...values: string[]) => {
  const db = new Database(join(box.path, "state/lightflow/lightflow.db"));
  db.run("PRAGMA busy_timeout = 5000");
  db.run(sql, values);
  db.close();
};

test("SR-10.3: of two approvers at once one wins, the other is told by name, and both are in the audit", async () => {
  const [first, second] = await Promise.all(
    ["ann", "bob"].map(
      async (name) =>
        (await ok("token", "create", name, "--scope", "run", "--role", "approver"))["token"] as string,
    ),
  );
  const run = await start("raced", publishing);
  const id = await waiting(run);
  const approve = async (secret: string) => {
    const response = await fetch(`${host.ready["gateway"]}/approvals/${id}/approve`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
      body: "{}",
    });
    return { status: response.status, text: await response.text() };
  };
  const both = await Promise.all([approve(first!), approve(second!)]);
  expect(both.map(({ status: code }) => code).sort()).toEqual([200, 409]);
  expect(both.find(({ status: code }) => code === 409)!.text).toContain('"conflict"');
  expect(await ended(run)).toBe("succeeded");
  expect(await refusals(id)).toMatchObject([
    { body: { reason: expect.stringMatching(/is (?:approved|consumed) by /) } },
  ]);
  // It was for one attempt.
  const attempts = (await ok("audit", "tail", "--action", "lease.issued"))["entries"] as {
    body: { instanceId: string };
  }[];
  const { instance_id: instance } = (await ok("run", "get", run)) as { instance_id?: string };
  expect(attempts.filter(({ body }) => body.instanceId === (instance ?? run))).toHaveLength(1);
});

test("SR-10.2, SR-10.4: rejected, expired and changed are outcomes that a workflow takes by name, each in the audit", async () => {
  const rejected = await catching("rejected");
  const rejectedId = await waiting(rejected);
  await ok("approvals", "reject", rejectedId);

  const late = await catching("late");
  const lateId = await waiting(late);
  // As if its time had passed: an approval can be made older, and never younger.
  store("UPDATE approval SET expires_at = 1 WHERE id = ?", lateId);

  writeFileSync(join(box.path, "bin.tar"), "the bytes that are to be published");
  const { sha256 } = (await ok("artifact", "put", "bin.tar")) as { sha256: string };
  const changed = await catching("changed", { files: [`sha256:${sha256}`] });
  const changedId = await waiting(changed);
  writeFileSync(join(box.path, "state/lightflow/artifacts/sha256", sha256.slice(0, 2), sha256), "others");
  expect((await lightflow("approvals", "approve", changedId)).stderr).toContain("is not what it was");

  expect(await Promise.all([rejected, late, changed].map(caught))).toEqual([
    "approval_rejected",
    "approval_expired",
    "approval_invalid",
  ]);
  expect((await lightflow("approvals", "approve", lateId)).stderr).toContain("is expired");
  expect(await refusals(lateId)).toHaveLength(1);
  const audit = (await lightflow("audit", "tail")).stdout;
  for (const action of ["approval.rejected", "approval.expired", "approval.invalid"])
    expect(audit).toContain(action);
  expect((await ok("leases"))["leases"]).toEqual([]);
});

test("SR-10.7: after an attempt that nobody knows the end of, the old approval starts nothing, and a retry asks anew", async () => {
  const run = await catching("cut-off", {}, "sleep 30");
  const id = await waiting(run);
  await ok("approvals", "approve", id);
  await eventually(
    async () => (await ok("leases"))["leases"] as { state: string }[],
    (live) => live.some(({ state }) => state === "started"),
  );
  await host.kill();
  host = await startBinary(["up", "--no-ctx", "--port", "0", "--controller-port", "0"], box.env, box.path);
  const asked = async () =>
    ((await ok("inbox", "list"))["tasks"] as { id: string; kind: string }[]).find(
      ({ kind }) => kind === "outcome_unknown",
    );
  const task = (await eventually(asked, (found) => found !== undefined))!;
  expect((await ok("approvals", "list"))["approvals"]).toEqual([]);
  expect((await lightflow("approvals", "approve", id)).stderr).toContain("is consumed");
  expect(await status(run)).toBe("running");
  await ok("attempts", "resolve", task.id, "--as", "retry", "--note", "nothing stands");
  const second = await waiting(run);
  expect(second).not.toBe(id);
  expect((await ok("leases"))["leases"]).toEqual([]);
  await ok("approvals", "reject", second);
  expect(await caught(run)).toBe("approval_rejected");
});

test("SR-6.3: a step that refers to a secret of the service gets no lease, whatever it is called", async () => {
  const document = {
    document: { dsl: "1.0.3", namespace: "t", name: "leak", version: "1.0.0" },
    do: [
      {
        leak: {
          run: { shell: { command: "env", environment: { KEY: "Bearer saas-secret://openai_api_key" } } },
        },
      },
    ],
  };
  writeFileSync(join(box.path, "leak.json"), JSON.stringify(document));
  const leaking = (await ok("workflow", "start", "leak.json"))["run_id"] as string;
  expect(await ended(leaking)).toBe("failed");
  expect(await ok("run", "get", leaking)).toMatchObject({ error: { data: { code: "secret_denied" } } });
  expect((await lightflow("audit", "tail", "--action", "lease.issued")).stdout).not.toContain(leaking);
});
