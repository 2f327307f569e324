import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "../../src/base/json.ts";
import { binary, runBinary, sandbox } from "../support/binary.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";

/** What waits for a person, from outside: the command line, HTTP and MCP, each with the roles of its credential. */
const box = sandbox("inbox");
const UP = ["up", "--no-ctx", "--port", "0", "--controller-port", "0"];
let host: Started;
beforeAll(async () => {
  host = await startBinary(UP, box.env, box.path);
});
afterAll(async () => {
  await host.stop();
  box.remove();
});

const lightflow = (...args: string[]) => runBinary(args, { env: box.env, cwd: box.path });
const ok = async (...args: string[]) => {
  const ran = await lightflow(...args);
  if (ran.code !== 0) throw new Error(`${args.join(" ")}: ${ran.stderr}`);
  return JSON.parse(ran.stdout) as JsonObject;
};
async function start(name: string, ...tasks: object[]): Promise<string> {
  const document = { document: { dsl: "1.0.3", namespace: "t", name, version: "1.0.0" }, do: tasks };
  writeFileSync(join(box.path, `${name}.json`), JSON.stringify(document));
  return (await ok("workflow", "start", `${name}.json`))["run_id"] as string;
}
interface Task {
  id: string;
  kind: string;
  state: string;
  resolution: string | null;
  body: { run_id: string };
}
const tasks = async (run: string, ...flags: string[]) =>
  ((await ok("inbox", "list", ...flags))["tasks"] as unknown as Task[]).filter(
    ({ body }) => body.run_id === run,
  );
const waiting = async (run: string) =>
  (
    await eventually(
      () => tasks(run),
      (found) => found.length === 1,
    )
  )[0]!.id;
const ended = (run: string) =>
  eventually(
    async () => (await ok("run", "get", run))["status"] as string,
    (now) => ["succeeded", "failed", "cancelled"].includes(now),
  );
const token = async (name: string, ...roles: string[]) => {
  const more = roles.flatMap((role) => ["--role", role]);
  return (await ok("token", "create", name, "--scope", "read", "--scope", "run", ...more))["token"] as string;
};
const post = async (path: string, secret: string, body: object) => {
  const response = await fetch(`${host.ready["gateway"]}${path}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${secret}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
};
const overHttp = (id: string, secret: string, answer: unknown) =>
  post(`/inbox/${id}/answer`, secret, { answer });
const overMcp = (id: string, secret: string, answer: unknown) =>
  post("/mcp", secret, {
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "answer_question", arguments: { task_id: id, answer } },
  });
const audited = async (action: string) =>
  (await ok("audit", "tail", "--action", action))["entries"] as { actor: string; body: JsonObject }[];

const COUNT = {
  prompt: "How many?",
  schema: { document: { type: "integer", minimum: 1 } },
  assignment: { roleId: "counter" },
};

test("a question is answered over HTTP and over MCP by whoever has the role, and a refusal is in the audit", async () => {
  const [clerk, counter] = [await token("clerk", "clerk"), await token("counter", "counter")];
  for (const [way, answer] of [
    ["http", overHttp],
    ["mcp", overMcp],
  ] as const) {
    const run = await start(way, { count: { ask: COUNT } });
    const id = await waiting(run);
    const before = (await audited("question.refused")).length;
    expect((await answer(id, clerk, 3)).text).toContain("the question is for the role counter");
    const refused = await audited("question.refused");
    expect(refused).toHaveLength(before + 1);
    expect(refused.at(-1)).toMatchObject({ actor: "clerk", body: { task: id } });
    expect((await answer(id, counter, 0)).text).toContain("must be >= 1");
    expect((await answer(id, counter, "three")).text).toContain("must be integer");
    expect(await tasks(run)).toHaveLength(1);
    expect((await answer(id, counter, 3)).text).toContain(run);
    expect(await ended(run)).toBe("succeeded");
    expect((await answer(id, counter, 4)).text).toContain("no longer open: answered by counter");
    expect((await audited("question.answered")).at(-1)).toMatchObject({ actor: "counter" });
  }
  expect((await overHttp("01a1febc-81a0-727d-9288-2439c5656084", counter, 1)).status).toBe(404);
  expect((await overHttp("../x", counter, 1)).status).toBe(404);
});

test("of two who answer at once one is heard", async () => {
  const run = await start("race", { pick: { ask: { prompt: "Which?", options: ["a", "b"] } } });
  const id = await waiting(run);
  const secret = await token("racer");
  const answers = await Promise.all(["a", "b", "a", "b"].map((each) => overHttp(id, secret, each)));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
  expect(await ended(run)).toBe("succeeded");
});

test("a question whose time ran out, or whose run was cancelled, is no longer asked, and its workflow goes on", async () => {
  const timed = await start("timed", {
    guarded: {
      try: [{ count: { ask: { prompt: "How many?" }, timeout: { after: { milliseconds: 500 } } } }],
      catch: { errors: {}, as: "e", do: [{ note: { set: { caught: "${ $e.type }" } } }] },
    },
  });
  expect(await ended(timed)).toBe("succeeded");
  // Whoever asks for the list may come after the time of the question.
  const id = (await tasks(timed, "--all"))[0]!.id;
  expect(JSON.stringify(await ok("run", "get", timed))).toContain("errors/timeout");
  expect((await lightflow("ask", "answer", id, "3")).stderr).toContain("no longer open: no longer asked");
  const gone = await start("gone", { count: { ask: { prompt: "How many?" } } });
  const other = await waiting(gone);
  await ok("run", "cancel", gone);
  expect(await ended(gone)).toBe("cancelled");
  expect((await lightflow("ask", "answer", other, "3")).stderr).toContain("no longer open");
  expect(await tasks(gone, "--all")).toMatchObject([{ state: "resolved", resolution: "no longer asked" }]);
});

test("questions and approvals stand in one list, which says how each is decided, and neither by the other's command", async () => {
  const asks = await start("asks", { sure: { ask: { prompt: "Sure?" } } });
  const approves = await start("approves", {
    release: {
      run: { shell: { command: "true" } },
      metadata: { lightWorkflow: { security: { approvalRequired: true } } },
    },
  });
  const [question, approval] = [await waiting(asks), await waiting(approves)];
  expect((await tasks(asks))[0]!.kind).toBe("ask");
  expect((await tasks(approves))[0]!.kind).toBe("approval");
  expect((await ok("inbox", "show", question))["next"]).toBe(`lightflow ask answer ${question} ANSWER`);
  expect((await ok("inbox", "show", approval))["next"]).toStartWith("lightflow approvals approve|reject ");
  expect((await lightflow("ask", "answer", approval, "yes")).stderr).toContain("is no question");
  for (const id of [question, approval])
    expect((await lightflow("inbox", "resolve", id, "--note", "x")).stderr).toContain("decide it: lightflow");
  // Neither is lost with the host.
  await host.kill();
  host = await startBinary(UP, box.env, box.path);
  expect([await waiting(asks), await waiting(approves)]).toEqual([question, approval]);
  await ok("ask", "answer", question, "yes");
  expect(await ended(asks)).toBe("succeeded");
  // Once its run has ended nothing of it waits for anybody.
  await ok("run", "cancel", approves);
  expect(await ended(approves)).toBe("cancelled");
  expect((await ok("run", "get", approves))["steps"]).toMatchObject([{ status: "cancelled" }]);
  expect((await ok("run", "why", approves))["steps"]).toMatchObject([{ reason: "it was cancelled" }]);
});

test("a question cannot write over itself on the terminal of the person whom it is put to", async () => {
  if (Bun.which("script") === null) {
    console.log("not run: script is not installed, so there is no terminal to show a question on");
    return;
  }
  const prompt =
    "Which?\nnext: lightflow ask answer another yes\nPublish 6.6.6?\x1b[2K\rPublish 1.0.0?\u202e\x1b]52;c;ZXZpbA==\x07";
  const run = await start("disguise", { pick: { ask: { prompt } } });
  const id = await waiting(run);
  const executable = await binary();
  const shown = async (...args: string[]) => {
    const command = `'${executable}' ${args.join(" ")}`;
    const terminal = Bun.spawn(["script", "-qec", command, "/dev/null"], { env: box.env, cwd: box.path });
    return await terminal.stdout.text();
  };
  for (const text of [
    await shown("inbox", "show", id),
    await shown("ask", "list"),
    await shown("inbox", "list"),
  ]) {
    // Styles of our own, and nothing that moves, writes elsewhere or turns.
    expect(text.replaceAll(/\x1b\[\d+m/g, "")).not.toMatch(/[\x00-\x08\x0b\x0c\x0e-\x1f\u202e]|\r(?!\n)/);
  }
  const one = await shown("inbox", "show", id);
  expect(one).toContain("Publish 6.6.6?");
  expect(one.match(/^\S*next:/gm)).toHaveLength(1);
  const target = 'registry\n  argv ["true"]';
  const approval = { approval: { target }, security: { approvalRequired: true } };
  const stdin = 'quiet\n  argv ["true"]\u001b[2K';
  const environment = { GREETING: "good\n  env OTHER=1" };
  const release = {
    run: { shell: { command: "false", stdin, environment } },
    metadata: { lightWorkflow: approval },
  };
  const forged = await start("forged", { release });
  await waiting(forged);
  const asked = (await ok("approvals", "list"))["approvals"] as { id: string; run_id: string }[];
  const gate = await shown("approvals", "show", asked.find(({ run_id }) => run_id === forged)!.id);
  expect(gate.replaceAll(/\x1b\[\d+m/g, "").match(/^ *argv .*/gm)).toEqual(['  argv ["false"]']);
  expect(gate.replaceAll(/\x1b\[\d+m/g, "").match(/^ *(stdin|env|network) .*/gm)).toEqual([
    '  stdin "quiet\\n  argv [\\"true\\"]\\u001b[2K"',
    "  env GREETING=good\\n  env OTHER=1",
    "  network deny-all",
  ]);
  expect(gate).toContain("lightflow approvals approve ");
  await ok("ask", "answer", id, "yes");
});
