import { expect, test } from "bun:test";
import { builder, errorOf, onBuild, PROFILE, startOnBuild } from "../../test/support/build-profile.ts";
import { type Plane, plane, publish, result, runner } from "../../test/support/control-plane.ts";
import { digestOf } from "../base/canonical.ts";
import type { JsonObject } from "../base/json.ts";
import type { PolicyLayer } from "../policy/index.ts";
import { listOutcomes, readDefinition } from "../store/index.ts";

/** A plane whose tenant has a private network, under a profile that may reach one host of it. */
async function privatePlane(allow: string[] = ["db.corp.example"]) {
  const p = await plane();
  await publish(p, "tenant-policy", "default", { policy: { privateHosts: ["*.corp.example"] } });
  const profile = PROFILE({ network: "allowlisted" }) as { policy: { allow: JsonObject } };
  profile.policy.allow["networkHosts"] = allow;
  await publish(p, "profile", "build", profile as unknown as JsonObject);
  return p;
}
const privateGet = { get: { call: "http", with: { method: "get", endpoint: "http://db.corp.example/x" } } };

test("a call to a host that is private to the tenant is a lease for a runner there, and its answer is the output", async () => {
  const p = await privatePlane();
  await startOnBuild(p, "one", [privateGet]);
  const r = await builder(p);
  const { status, lease } = await r.claim();
  expect(status).toBe(200);
  expect(lease).toMatchObject({
    taskType: "call.http",
    call: { kind: "http" },
    network: "allowlisted",
    networkHosts: { allow: ["db.corp.example"] },
    output: "json",
  });
  expect(JSON.parse(lease.task.stdin!)).toMatchObject({ kind: "http", with: { method: "get" } });
  await r.started(lease);
  const answer = { result: { rows: 2 } };
  expect((await r.task(lease, "complete", result(lease, { output: answer }))).status).toBe(200);
  expect(p.run("one").status).toBe("completed");
  expect(JSON.parse(p.run("one").snapshot)).toMatchObject({ output: { rows: 2 } });

  // A run that takes it over has the same output, and it is no less private to the tenant.
  const row = p.run("one");
  await p.orchestrator.start({
    ...{ tenantId: "default", runId: "again", idempotent: false, sourceEventId: null, assetId: null },
    workflow: row.workflow,
    document: p.store.read(readDefinition, row.definition_digest)!,
    digest: row.definition_digest,
    input: {},
    options: { cache: "off", reuses: true, origin: { run_id: "one", how: "retry" } },
    reuse: p.store.read(listOutcomes, { instanceId: row.id }),
  });
  expect(p.run("again").status).toBe("completed");
  expect(JSON.parse(p.run("again").snapshot)).toMatchObject({ output: { rows: 2 }, private: true });

  // The call's own error is the step's, as if it had gone out from here.
  await startOnBuild(p, "two", [privateGet]);
  const second = (await r.claim()).lease;
  await r.started(second);
  const error = {
    type: "communication",
    status: 404,
    title: "Communication error",
    detail: "no",
    sent: "none",
  };
  await r.task(second, "complete", result(second, { output: { error } }));
  expect(p.run("two").status).toBe("faulted");
  expect(p.run("two").snapshot).toContain('"status":404');
});

const notes = (more: JsonObject = {}, light: JsonObject = {}): JsonObject => ({
  call: "mcp",
  with: {
    method: "tools/call",
    parameters: { name: "find", arguments: { text: "${ .text }" } },
    transport: { stdio: { command: "/opt/notes", arguments: ["--root", "${ .text }"], ...more } },
  },
  metadata: { lightWorkflow: { runner: { executionProfile: "build" }, ...light } },
});
const SECRETS = { secrets: { has: () => true, resolve: () => "never to be seen" } };
const startNotes = (p: Plane, id: string, task: JsonObject) => {
  const document = { ...onBuild([{ ask: task }]), use: { secrets: ["token"] } };
  return p.orchestrator.start({
    tenantId: "default",
    runId: id,
    idempotent: false,
    sourceEventId: null,
    workflow: "t",
    assetId: null,
    document,
    digest: digestOf(document),
    input: { text: "a" },
  });
};

test("a server of MCP that is a program is a lease for a runner: its program, and a secret by its name alone", async () => {
  const p = await plane(SECRETS);
  await publish(p, "profile", "build", PROFILE({ secretPolicy: "task-scoped" }));
  await startNotes(p, "one", notes({ environment: { TOKEN: "${ $secrets.token }", MODE: "fast" } }));
  const r = await builder(p);
  const { lease } = await r.claim();
  expect(lease).toMatchObject({
    taskType: "call.mcp",
    call: { kind: "mcp", program: true },
    task: {
      command: "/opt/notes",
      arguments: ["--root", "a"],
      environment: { TOKEN: "runner-secret://token", MODE: "fast" },
    },
    network: "deny-all",
    output: "json",
  });
  const asked = JSON.parse(lease.task.stdin!);
  expect(asked).toMatchObject({
    kind: "mcp",
    with: { method: "tools/call", parameters: { name: "find", arguments: { text: "a" } } },
  });
  expect(JSON.stringify(asked)).not.toContain("TOKEN");
  await r.started(lease);
  const error = { type: "communication", status: 500, title: "t", detail: "gone", sent: "possible" };
  const output = { error: { ...error, code: "mcp_server_ended" } };
  await r.task(lease, "complete", result(lease, { output }));
  expect(p.run("one").status).toBe("faulted");
  expect(p.run("one").snapshot).toContain("mcp_server_ended");
});

for (const [what, task, policy, code] of [
  ["a program that is not listed", notes(), { allow: { executables: ["/usr"] } }, "execution_policy_denied"],
  ["a program of its own where templates alone run", notes(), { directCommands: false }, "template_denied"],
  [
    "a variable that is not listed",
    notes({ environment: { MODE: "fast" } }),
    { allow: { environmentNames: ["CI_*"] } },
    "execution_policy_denied",
  ],
  [
    "a secret within an argument",
    notes({ arguments: ["${ $secrets.token }"] }),
    { secretPolicy: "task-scoped" },
    "a secret of an MCP server is the whole value",
  ],
] as [string, JsonObject, PolicyLayer, string][]) {
  test(`a server of MCP with ${what} is refused, and nothing is queued`, async () => {
    const p = await plane(SECRETS);
    const base = PROFILE()["policy"] as JsonObject;
    const full = { ...base, ...policy, allow: { ...(base["allow"] as JsonObject), ...policy.allow } };
    await publish(p, "profile", "build", { id: "build", policy: full });
    const refused = await startNotes(p, "one", task).then(
      async () => JSON.stringify(errorOf(await p.until("one", "faulted"))),
      (error) => (error as { code: string }).code,
    );
    expect(refused).toContain(code);
    expect((await (await builder(p)).claim()).status).toBe(204);
  });
}

test("a server of MCP by an approved template: the task fills the slots, and the lease names the template", async () => {
  const p = await plane(SECRETS);
  await publish(p, "profile", "build", PROFILE({ directCommands: false }));
  await publish(p, "template", "notes", {
    id: "notes",
    executable: "/opt/notes",
    fixedArguments: ["--root"],
    slots: [{ name: "root", argumentIndex: 1, pattern: "[a-z]+" }],
  });
  const byTemplate = { runner: { executionProfile: "build", commandTemplateId: "notes" } };
  await startNotes(p, "one", notes({ command: "notes", arguments: ["${ .text }"] }, byTemplate));
  const { lease } = await (await builder(p)).claim();
  expect(lease).toMatchObject({
    commandTemplateId: "notes",
    task: { command: "/opt/notes", arguments: ["--root", "a"] },
    call: { program: true },
  });
  await startNotes(p, "two", notes({ command: "notes", arguments: ["-x"] }, byTemplate));
  expect(errorOf(await p.until("two", "faulted")).data["code"]).toBe("template_denied");
});

test("a private host that no policy lets a task reach, and a protocol that runners do not speak, are refused", async () => {
  const denied = await privatePlane(["other.corp.example"]);
  await startOnBuild(denied, "one", [privateGet]).catch(() => {});
  expect((await (await builder(denied)).claim()).status).toBe(204);
  const p = await privatePlane();
  const openapi = {
    call: "openapi",
    with: { document: { endpoint: "http://x/y" }, operationId: "a", endpoint: "http://db.corp.example/x" },
  };
  await expect(startOnBuild(p, "two", [{ get: openapi }])).rejects.toThrow("private to the tenant's network");
});

test("a call whose host is computed goes nowhere that policy keeps from it", async () => {
  const p = await plane();
  await publish(p, "tenant-policy", "default", {
    policy: { privateHosts: ["*.corp.example"], deny: { networkHosts: ["evil.example"] } },
  });
  const call = (light: JsonObject = {}) => ({
    call: "http",
    with: { method: "get", endpoint: { uri: "${ .uri }" } },
    metadata: { lightWorkflow: light },
  });
  const said = async (run: string, uri: string, light: JsonObject = {}) => {
    await p.start(run, [{ get: call(light) }], { uri });
    return errorOf(await p.until(run, "faulted"));
  };
  // A runner in the tenant's network makes it.
  await p.start("private", [{ get: call() }], { uri: "http://db.corp.example/x" });
  expect((await (await runner(p)).claim()).lease).toMatchObject({
    taskType: "call.http",
    networkHosts: { allow: ["db.corp.example"] },
  });
  const none = await said("none", "http://192.0.2.1/", { network: "deny-all" });
  expect(none.detail).toContain("no network");
  const only = { security: { allow: { networkHosts: ["api.example"] } } };
  const other = await said("other", "http://192.0.2.1/", only);
  expect(other.detail).toContain("destination policy does not allow this destination");
});
