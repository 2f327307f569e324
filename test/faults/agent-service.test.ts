import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Json, JsonObject } from "../../src/base/json.ts";
import { testCertificates } from "../../src/calls/testing/certificates.ts";
import { runBinary, sandbox } from "../support/binary.ts";
import { ownPort } from "../support/port.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";
import { startScriptedModel } from "../support/scripted-model.ts";

/** `agent serve` from outside: what it answers, and what is left of it when it is killed. */
const box = sandbox("agent-service");
const model = startScriptedModel();
const place = join(box.path, "ctx-tree");
const env = { ...box.env, LIGHTFLOW_CTX_MOUNT: place };
const journal = join(box.path, "calls");
let ctx: Started;
const running = new Set<Started>();

const file = (name: string, text: string, mode = 0o600): string => {
  const path = join(box.path, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
};
const program = (name: string, prefix = "", about = "") =>
  file(
    name,
    `#!/bin/sh\nexec '${process.execPath}' '${resolve(import.meta.dir, "../support/mcp-tools.ts")}' '${journal}' '${prefix}' '${about}'\n`,
    0o755,
  );
const TOOLS = program("tools.sh");
async function lightflow(...args: string[]) {
  return await runBinary(args, { env, cwd: box.path });
}
async function publish(name: string, more: JsonObject = {}, version = "1.0.0"): Promise<void> {
  const agent = { name, version, instructions: "Sort.", model: { name: "scripted" }, ...more };
  const ran = await lightflow("agent", "publish", file(`${name}.json`, JSON.stringify(agent)));
  if (ran.code !== 0) throw new Error(ran.stderr);
}

beforeAll(async () => {
  mkdirSync(place);
  const provider = { CORTEXFS_OPENAI_BASE_URL: `${model.url}/v1`, CORTEXFS_OPENAI_MODEL: "scripted" };
  ctx = await startBinary(["ctx", "serve", "--dir", place], { ...box.env, ...provider }, box.path);
  await publish("plain");
  await publish("worker", { tools: ["look", "write", "wait", "peek", "big", "endless", "die"] });
});
afterAll(async () => {
  for (const each of running) await each.kill();
  await ctx.stop();
  await model.stop();
  box.remove();
});

interface Rpc {
  result: JsonObject;
  error?: { code: number; message: string };
}
async function serve(agent: string, ...args: string[]) {
  const port = args.includes("--port") ? [] : ["--port", "0"];
  const started = await startBinary(["agent", "serve", agent, ...port, ...args], env, box.path);
  running.add(started);
  const url = started.ready["url"]!;
  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(`${url}/a2a`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
  const rpc = async (method: string, params: JsonObject, headers: Record<string, string> = {}) =>
    (await (await post(JSON.stringify({ jsonrpc: "2.0", id: 7, method, params }), headers)).json()) as Rpc;
  const end = (how: "kill" | "stop") => {
    running.delete(started);
    return started[how]();
  };
  return { started, url, post, rpc, end };
}
type Served = Awaited<ReturnType<typeof serve>>;
const message = (messageId: string, text = "x", more: JsonObject = {}): JsonObject => ({
  message: { kind: "message", role: "user", messageId, parts: [{ kind: "text", text }], ...more },
});
const stateOf = (task: JsonObject) => (task["status"] as JsonObject)["state"] as string;
const textOf = (task: JsonObject) => JSON.stringify(task["artifacts"] ?? task["status"]);
const begin = async (service: Served, id: string): Promise<string> => {
  const params = { ...message(id), configuration: { blocking: false } };
  const { result } = await service.rpc("message/send", params);
  expect(stateOf(result)).toBe("working");
  return result["id"] as string;
};
const ended = (service: Served, id: string) =>
  eventually(
    async () => (await service.rpc("tasks/get", { id })).result,
    (task) => stateOf(task) !== "working",
  );
const called = () => (existsSync(journal) ? readFileSync(journal, "utf8").split("\n").slice(0, -1) : []);
const untilCalled = (name: string) =>
  eventually(
    async () => called(),
    (calls) => calls.includes(name),
  );
/** An answer of the model that comes when it is let go. */
function held(text: string) {
  const gate = Promise.withResolvers<void>();
  const choices = [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }];
  const respond = async () => {
    await gate.promise;
    return Response.json({ choices, usage: { prompt_tokens: 1, completion_tokens: 1 } });
  };
  return { turn: { respond }, go: () => gate.resolve() };
}
const calls = (...names: string[]) => ({ call: names.map((name) => ({ name, arguments: {} })) });
const toolAnswers = (request: JsonObject | undefined) =>
  (request!["messages"] as { role: string; content: string }[])
    .filter(({ role }) => role === "tool")
    .map(({ content }) => content);

test("tasks and sessions outlive a kill: the same message is the same task, and the conversation goes on", async () => {
  model.script({ say: "first" }, { say: "second" });
  const before = await serve("plain");
  const { result } = await before.rpc("message/send", message("m-1", "one", { contextId: "talk" }));
  expect(stateOf(result)).toBe("completed");
  await before.end("kill");
  const after = await serve("plain");
  expect((await after.rpc("tasks/get", { id: result["id"]! })).result).toEqual(result);
  expect((await after.rpc("message/send", message("m-1", "one", { contextId: "talk" }))).result).toEqual(
    result,
  );
  expect(model.seen).toHaveLength(1);
  const other = await after.rpc("message/send", message("m-1", "another text"));
  expect(other.error).toMatchObject({ code: -32602 });
  await after.rpc("message/send", message("m-2", "two", { contextId: "talk" }));
  const heard = (model.seen[1]!["messages"] as { content: string }[]).map(({ content }) => content);
  expect(heard.slice(1)).toEqual(["one", "first", "two"]);
  await after.end("stop");
});

test("a service that is killed while the model thinks takes the same exchange up again", async () => {
  const answer = held("thought");
  model.script(answer.turn);
  const before = await serve("plain");
  const id = await begin(before, "m-3");
  await eventually(
    async () => model.seen.length,
    (seen) => seen === 1,
  );
  await before.end("kill");
  const after = await serve("plain");
  expect(stateOf((await after.rpc("tasks/get", { id })).result)).toBe("working");
  const stream = await after.post(
    JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tasks/resubscribe", params: { id } }),
  );
  answer.go();
  const told = await stream.text();
  expect(told).toContain('"state":"completed"');
  expect(told).toContain("thought");
  expect(model.seen).toHaveLength(1);
  await after.end("stop");
});

test("a kill in the middle of a tool's call: what only reads is called again, what may have done something ends the task", async () => {
  for (const [tool, state, times] of [
    ["wait", "failed", 1],
    ["peek", "completed", 2],
  ] as const) {
    rmSync(journal, { force: true });
    rmSync(`${journal}.go`, { force: true });
    model.script(calls("write"), calls(tool), { say: "done" });
    const before = await serve("worker", "--mcp", TOOLS);
    const id = await begin(before, `m-${tool}`);
    await untilCalled(tool);
    await before.end("kill");
    writeFileSync(`${journal}.go`, "");
    const after = await serve("worker", "--mcp", TOOLS);
    const task = await ended(after, id);
    expect(stateOf(task)).toBe(state);
    if (state === "failed") {
      expect(textOf(task)).toContain("what came of that call is not known");
      expect(task["metadata"]).toMatchObject({ lightflow: { failed: "agent_service_failed" } });
    }
    // The call before it had its answer, and is not made again.
    expect(called().filter((name) => name === "write")).toHaveLength(1);
    expect(called().filter((name) => name === tool)).toHaveLength(times);
    await after.end("stop");
  }
});

test("SIGTERM lets a tool's call end, remembers it, and the next process goes on from there", async () => {
  rmSync(journal, { force: true });
  rmSync(`${journal}.go`, { force: true });
  model.script(calls("wait"), { say: "done" });
  const before = await serve("worker", "--mcp", TOOLS);
  const id = await begin(before, "m-term");
  await untilCalled("wait");
  const stopped = before.end("stop");
  await Bun.sleep(100);
  writeFileSync(`${journal}.go`, "");
  expect(await stopped).toBe(143);
  const after = await serve("worker", "--mcp", TOOLS);
  expect(stateOf(await ended(after, id))).toBe("completed");
  expect(called()).toEqual(["wait"]);
  await after.end("stop");
});

test("whatever was acknowledged is there after kills at any moment, and ends", async () => {
  model.script({ say: "done" });
  // Of its own: what was written down and not acknowledged is done by whoever serves it next.
  await publish("pelted");
  const acknowledged = new Set<string>();
  for (let round = 0; round < 4; round++) {
    const service = await serve("pelted");
    const sent = Array.from({ length: 6 }, async (_, index) => {
      await Bun.sleep(index * 8);
      const params = { ...message(`round-${round}-${index}`), configuration: { blocking: index % 2 === 0 } };
      const answer = await service.rpc("message/send", params).catch(() => null);
      if (answer !== null) acknowledged.add(answer.result["id"] as string);
    });
    await eventually(
      async () => acknowledged.size,
      (size) => size > round,
    );
    await Bun.sleep(round * 10);
    await service.end("kill");
    await Promise.all(sent);
  }
  const last = await serve("pelted");
  for (const id of acknowledged) expect(stateOf(await ended(last, id))).toBe("completed");
  await last.end("stop");
});

test("a task that was begun by another version of the agent ends with a reason", async () => {
  const answer = held("late");
  await publish("changing");
  model.script(answer.turn);
  const before = await serve("changing");
  const id = await begin(before, "m-old");
  await before.end("kill");
  await publish("changing", {}, "1.1.0");
  const after = await serve("changing");
  expect(textOf(await ended(after, id))).toContain("another version of the agent");
  answer.go();
  await after.end("stop");
});

test("a workflow's task goes on when its service is killed and started again", async () => {
  const answer = held("for the run");
  // Of its own: what no test waited for is still to be done when a service of that agent starts again.
  await publish("steady");
  model.script(answer.turn);
  const before = await serve("steady", "--port", String(ownPort()));
  const { port } = new URL(before.url);
  const call = {
    call: "agent-service",
    with: { agent: "steady", endpoint: `${before.url}/a2a`, prompt: "?" },
  };
  const document = {
    document: { dsl: "1.0.3", namespace: "t", name: "t", version: "1.0.0" },
    do: [{ ask: call }],
  };
  const run = lightflow("workflow", "run", file("run.json", JSON.stringify(document)));
  await eventually(
    async () => model.seen.length,
    (seen) => seen === 1,
  );
  await before.end("kill");
  const after = await serve("steady", "--port", port);
  answer.go();
  const { stdout, code } = await run;
  expect([code, stdout.includes("for the run")]).toEqual([0, true]);
  expect(model.seen).toHaveLength(1);
  await after.end("stop");
});

test("what is no request of A2A is refused by its own code, and nothing is asked of the model", async () => {
  model.script({ say: "never" });
  const service = await serve("plain");
  const { rpc, post, url } = service;
  const codeOf = async (body: string) => ((await (await post(body)).json()) as Rpc).error?.code;
  for (const [body, code] of [
    ["{", -32700],
    ["\ufffe", -32700],
    ['{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"tasks/get"}', -32700],
    ["[]", -32600],
    ['[{"jsonrpc":"2.0","id":1,"method":"tasks/get"}]', -32600],
    ['{"id":1,"method":"tasks/get"}', -32600],
    ['{"jsonrpc":"2.0","id":{},"method":"tasks/get"}', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":[]}', -32602],
  ] as const)
    expect([body, await codeOf(body)]).toEqual([body, code]);
  const parts = [{ kind: "text", text: "x" }];
  for (const [method, params, code] of [
    ["tasks/list", {}, -32601],
    ["tasks/get", {}, -32602],
    ["tasks/get", { id: "none" }, -32001],
    ["tasks/cancel", { id: "none" }, -32001],
    ["tasks/resubscribe", { id: "none" }, -32001],
    ["tasks/pushNotificationConfig/set", {}, -32003],
    ["agent/getAuthenticatedExtendedCard", {}, -32007],
    ["message/send", {}, -32602],
    ["message/send", { message: { parts } }, -32602],
    ["message/send", { message: { messageId: "", parts } }, -32602],
    ["message/send", { message: { messageId: "a".repeat(513), parts } }, -32602],
    ["message/send", { message: { messageId: "b", parts: "x" } }, -32602],
    ["message/send", { message: { messageId: "b", parts: [{ kind: "sound" }] } }, -32602],
    ["message/send", { message: { messageId: "b", parts: [{ kind: "file", file: {} }] } }, -32005],
    ["message/send", message("b", "x", { taskId: "none" }), -32001],
    [
      "message/send",
      message("b", "x", { metadata: { lightflow: { outputSchema: { type: "no" } } } }),
      -32602,
    ],
  ] as [string, JsonObject, number][])
    expect([method, params, (await rpc(method, params)).error?.code]).toEqual([method, params, code]);
  expect((await post("x", { "content-type": "text/plain" })).status).toBe(415);
  expect((await fetch(`${url}/other`)).status).toBe(404);
  // What a page of another site could send to a service that asks for no token.
  expect((await post("{}", { origin: "http://evil.example" })).status).toBe(403);
  expect((await post("{}", { host: "evil.example" })).status).toBe(403);
  const large = await post(`"${"x".repeat(5 * 1024 * 1024)}"`).catch(() => ({ status: 413 }));
  expect(large.status).toBe(413);
  expect(model.seen).toEqual([]);
  await service.end("stop");
});

test("a task is cancelled once, and its exchange with the model is taken back", async () => {
  const answer = held("late");
  model.script(answer.turn);
  const service = await serve("plain");
  const id = await begin(service, "m-cancel");
  await eventually(
    async () => model.seen.length,
    (seen) => seen === 1,
  );
  const stream = await service.post(
    JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tasks/resubscribe", params: { id } }),
  );
  expect(stateOf((await service.rpc("tasks/cancel", { id })).result)).toBe("canceled");
  expect(await stream.text()).toContain('"final":true');
  expect((await service.rpc("tasks/cancel", { id })).error?.code).toBe(-32002);
  const outbox = join(place, `home/${process.getuid!()}/api/openai.chat/outbox/${id}.turn-1.error`);
  const failure = await eventually(
    async () => (existsSync(outbox) ? readFileSync(outbox, "utf8") : ""),
    (text) => text !== "",
  );
  expect(failure).toContain("execution_cancelled");
  answer.go();
  await service.end("stop");
  const again = await serve("plain");
  expect(stateOf((await again.rpc("tasks/get", { id })).result)).toBe("canceled");
  expect((await again.rpc("message/send", message("m-next", "x", { taskId: id }))).error?.code).toBe(-32004);
  await again.end("stop");
});

test("a token is a file of its owner alone; without it the card is all that anybody sees", async () => {
  const token = "t".repeat(40);
  const refused = async (...args: string[]) => {
    const ran = await lightflow("agent", "serve", "plain", "--port", "0", ...args);
    expect(ran.code).not.toBe(0);
    return ran.stderr;
  };
  expect(await refused("--host", "0.0.0.0")).toContain("needs a token");
  expect(await refused("--token-file", file("open", token, 0o644))).toContain("may be read by others");
  expect(await refused("--token-file", file("empty", "\n"))).toContain("is empty");
  expect(await refused("--token-file", join(box.path, "none"))).toContain("does not exist");
  expect(await refused("--tls-cert", "c.pem")).toContain("go together");
  model.script({ say: "hello" });
  const service = await serve("plain", "--token-file", file("token", `${token}\n`));
  for (const headers of [{}, { authorization: `Bearer ${token}x` }, { authorization: `Basic ${token}` }])
    expect((await service.post("{}", headers as Record<string, string>)).status).toBe(401);
  const authorization = `Bearer ${token}`;
  const { result } = await service.rpc("message/send", message("m-token"), { authorization });
  expect(stateOf(result)).toBe("completed");
  const card = (await (await fetch(`${service.url}/.well-known/agent-card.json`)).json()) as JsonObject;
  expect(card).toMatchObject({ protocolVersion: "0.3.0", name: "plain", security: [{ bearer: [] }] });
  expect(service.started.stderr()).not.toContain(token);
  await service.end("stop");
  const { ca, of } = testCertificates("localhost");
  const { cert, key } = of["localhost"]!;
  const pem = ["--tls-cert", file("cert.pem", cert), "--tls-key", file("key.pem", key)];
  const safe = await serve("plain", "--token-file", join(box.path, "token"), ...pem);
  expect(safe.url).toStartWith("https://");
  const named = safe.url.replace("127.0.0.1", "localhost");
  const asked = await fetch(`${named}/.well-known/agent-card.json`, { tls: { ca } });
  expect(await asked.json()).toMatchObject({ url: `${named}/a2a` });
  await safe.end("stop");
});

test("tools: those alone that the agent names, a result of 10 MB is cut, and a server that dies is one failed call", async () => {
  const service = await serve("worker", "--mcp", TOOLS);
  const send = async (id: string) => (await service.rpc("message/send", message(id))).result;
  model.script(calls("look", "notes__write", "no-such-tool"), { say: "done" });
  expect(stateOf(await send("m-tools"))).toBe("completed");
  const offered = (model.seen[0]!["tools"] as { function: { name: string } }[]).map(
    (each) => each.function.name,
  );
  expect(offered.sort()).toEqual(["big", "die", "endless", "look", "peek", "wait", "write"]);
  expect(toolAnswers(model.seen[1]).slice(1)).toEqual([
    "refused: there is no tool notes__write",
    "refused: there is no tool no-such-tool",
  ]);
  model.script(calls("big"), { say: "done" });
  expect(stateOf(await send("m-big"))).toBe("completed");
  const [big] = toolAnswers(model.seen[1]);
  expect(big!.length).toBeLessThan(70_000);
  expect(big).toEndWith("… (10485760 characters)");
  for (const [tool, why] of [
    ["die", "failed at die"],
    ["endless", "failed at endless"],
  ] as const) {
    model.script(calls(tool), calls("look"), { say: "done" });
    expect(stateOf(await send(`m-${tool}`))).toBe("completed");
    const [first, second] = toolAnswers(model.seen[2]);
    expect([first!.includes(why), second!.startsWith("look was called")]).toEqual([true, true]);
  }
  await service.end("stop");
});

test("what would call another tool than it says is refused before anything is served", async () => {
  const refused = async (agent: string, ...servers: string[]) => {
    const mcp = servers.flatMap((server) => ["--mcp", server]);
    const ran = await lightflow("agent", "serve", agent, "--port", "0", ...mcp);
    expect(ran.code).not.toBe(0);
    return ran.stderr;
  };
  expect(await refused("worker")).toContain("no server offers the tool look");
  expect(await refused("worker", TOOLS, program("again.sh"))).toContain("two servers offer a tool look");
  await publish("aliases", { tools: ["notes.write", "notes__write"] });
  expect(await refused("aliases", TOOLS)).toContain("by one name");
  expect(await refused("worker", join(box.path, "missing"))).toContain("does not answer");
  expect(await refused("nobody")).toContain("not found: agent nobody");
});

test("tools that are pinned are taken as they were published, and no others", async () => {
  const agent = { name: "pinned", version: "1.0.0", instructions: "Sort.", tools: ["look", "write"] };
  const path = file("pinned.json", JSON.stringify(agent));
  const published = await lightflow("agent", "publish", path, "--mcp", TOOLS);
  expect(published.code).toBe(0);
  expect((await lightflow("agent", "publish", path, "--mcp", TOOLS)).stdout).toContain('"created": false');
  const pinned = JSON.parse((await lightflow("agent", "get", "pinned")).stdout) as { agent: JsonObject };
  expect(Object.keys(pinned.agent["pins"] as JsonObject)).toEqual(["look", "write"]);
  const same = await serve("pinned", "--mcp", TOOLS);
  await same.end("stop");
  const other = program("other.sh", "", "another text");
  const refused = await lightflow("agent", "serve", "pinned", "--port", "0", "--mcp", other);
  expect(refused.stderr).toContain("the tool look is no longer what it was");
  // The same version with tools that have changed is other content.
  const again = await lightflow("agent", "publish", path, "--mcp", other);
  expect(again.stderr).toContain("a published version never changes");
});

test("a tool of an agent's own server is pinned and served by the name that the server gives it", async () => {
  const agent = {
    name: "mapped",
    version: "1.0.0",
    instructions: "Sort.",
    model: { name: "scripted" },
    tools: ["list", "mcp:files/look"],
    mcpServers: [{ name: "files", command: "/usr/bin/files" }],
  };
  const path = file("mapped.json", JSON.stringify(agent));
  expect((await lightflow("agent", "publish", path, "--mcp", TOOLS)).code).toBe(0);
  const got = JSON.parse((await lightflow("agent", "get", "mapped")).stdout) as { agent: JsonObject };
  expect(Object.keys(got.agent["pins"] as JsonObject)).toEqual(["mcp:files/look"]);
  const refused = await lightflow("agent", "serve", "mapped", "--port", "0", "--mcp", TOOLS);
  expect(refused.stderr).toContain("no server offers the tool list");
});

test("one process has the tasks of an agent, and what is no file of it is left alone", async () => {
  const service = await serve("plain");
  const second = await lightflow("agent", "serve", "plain", "--port", "0");
  expect(second.stderr).toContain("another process serves from");
  const apart = await serve("plain", "--data", join(box.path, "apart"));
  await apart.end("stop");
  await service.end("stop");
  mkdirSync(join(box.path, "foreign"));
  const foreign = file("foreign/plain.db", "not a database, and somebody's own");
  const refused = await lightflow(
    "agent",
    "serve",
    "plain",
    "--port",
    "0",
    "--data",
    join(box.path, "foreign"),
  );
  expect(refused.stderr).toContain("is damaged");
  expect(readFileSync(foreign, "utf8")).toBe("not a database, and somebody's own");
});

test("an endless loop of tools, answers of no shape and a used up budget are outcomes by name", async () => {
  const service = await serve("worker", "--mcp", TOOLS);
  const failure = async (id: string, lightflowSettings: Json = {}) => {
    const more = { metadata: { lightflow: lightflowSettings } };
    const { result } = await service.rpc("message/send", message(id, "x", more));
    expect(stateOf(result)).toBe("failed");
    return (result["metadata"] as { lightflow: { failed: string } }).lightflow.failed;
  };
  model.script(calls("look"));
  expect(await failure("m-loop")).toBe("agent_budget_exhausted");
  expect(model.seen).toHaveLength(16);
  model.script(calls("look"));
  expect(await failure("m-turns", { budgets: { turns: 3 } })).toBe("agent_budget_exhausted");
  expect(model.seen).toHaveLength(3);
  model.script({ raw: { choices: "none" } });
  expect(await failure("m-shape")).toBe("agent_output_invalid");
  model.script({ raw: "no JSON at all" });
  expect(await failure("m-json")).toBe("agent_model_failed");
  model.script({ say: "[]" });
  expect(await failure("m-schema", { outputSchema: { type: "object" }, retry: 1 })).toBe(
    "agent_output_invalid",
  );
  expect(model.seen).toHaveLength(2);
  await service.end("stop");
});
