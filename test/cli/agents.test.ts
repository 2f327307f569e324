import { afterAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runBinary, sandbox } from "../support/binary.ts";

/** The registry of agents, from the command line, without a host. */
const box = sandbox("agents");
mkdirSync(join(box.path, "agents"));
afterAll(() => box.remove());

const lightflow = (...args: string[]) => runBinary(args, { env: box.env, cwd: box.path });
const write = (name: string, text: string) => {
  writeFileSync(join(box.path, "agents", name), text);
  return `agents/${name}`;
};
const json = async (...args: string[]) => {
  const ran = await lightflow(...args);
  if (ran.code !== 0) throw new Error(ran.stderr);
  return JSON.parse(ran.stdout);
};
const TRIAGE = `name: triage
version: 1.0.0
instructions: Say what kind of report it is.
model: { name: small, prices: { input: 400000, output: 1600000 } }
outputSchema: { type: object, properties: { kind: { enum: [bug, question] } }, required: [kind] }
skills:
  - name: logs
    file: logs.md
budgets: { tokens: 2000 }
`;

test("a version is published once: again is nothing new, other content is refused, a higher one is found by the name", async () => {
  write("logs.md", "Read the last lines first.");
  const file = write("triage.yaml", TRIAGE);
  const first = await json("agent", "publish", file);
  expect(first).toMatchObject({ name: "triage", version: "1.0.0", created: true });
  expect(await json("agent", "publish", file)).toEqual({ ...first, created: false });
  // The text of a skill is part of it, though the agent's own file is the same.
  write("logs.md", "Read the first lines.");
  const changed = await lightflow("agent", "publish", file);
  expect(changed.code).not.toBe(0);
  expect(changed.stderr).toContain("a published version never changes: raise its version");
  for (const version of ["1.9.0", "1.10.0", "2.0.0-rc.1"])
    await json("agent", "publish", write("triage.yaml", TRIAGE.replace("1.0.0", version)));
  expect(await json("agent", "get", "triage")).toMatchObject({ version: "2.0.0-rc.1" });
  expect(await json("agent", "get", "triage:1.0.0")).toMatchObject({ digest: first.digest });
  const { agents } = await json("agent", "list");
  expect(agents.map(({ version }: { version: string }) => version)).toEqual([
    "1.0.0",
    "1.9.0",
    "1.10.0",
    "2.0.0-rc.1",
  ]);
});

test("get shows what a model is told: instructions, skills, schema, and the request that a call begins with", async () => {
  const got = await json("agent", "get", "triage:1.0.0");
  expect(got.agent.skills).toEqual([{ name: "logs", digest: expect.stringMatching(/^sha256:/) }]);
  expect(got.instructions).toBe(
    "Say what kind of report it is.\n\n# Skill: logs\n\nRead the last lines first.",
  );
  expect(got.request).toMatchObject({ model: "small", max_tokens: 2000 });
  const [system] = got.request.messages;
  expect(system.content).toStartWith(got.instructions);
  expect(system.content).toContain('"enum":["bug","question"]');
});

for (const [what, from, to, said] of [
  ["an unknown field", "budgets:", "budget:", "bad.yaml:9:1: /budget: unknown field; did you mean budgets?"],
  ["a version that is none", "1.0.0", "one", "bad.yaml:2:1: /version: must match"],
  ["a budget of nothing", "tokens: 2000", "tokens: 0", "bad.yaml:9:12: /budgets/tokens: must be at least 1"],
  ["a missing name", "name: triage", "description: x", "bad.yaml:1:1: /name: is missing"],
  ["a cost without prices", "name: small, prices: { input: 400000, output: 1600000 }", "name: small", ""],
  [
    "a schema that is none",
    "type: object",
    "type: thing",
    "bad.yaml:5:1: /outputSchema: the schema does not compile",
  ],
  [
    "a pin of no tool",
    "budgets:",
    "pins: { look: 'sha256:0' }\nbudgets:",
    "bad.yaml:9:9: /pins/look: must match",
  ],
] as const) {
  test(`${what} is refused with its line, and nothing is published`, async () => {
    write("logs.md", "x");
    const text = TRIAGE.replace(from, to).replace(
      "tokens: 2000",
      said === "" ? "costMicros: 5" : "tokens: 2000",
    );
    const ran = await lightflow("agent", "publish", write("bad.yaml", text.replaceAll("triage", "bad")));
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toContain(
      said || "bad.yaml:9:12: /budgets/costMicros: nothing says what a token costs",
    );
    expect((await lightflow("agent", "get", "bad")).stderr).toContain("not found: agent bad");
  });
}

test("a key that stands there twice, a skill that is not there and a file that is not are refused", async () => {
  const twice = await lightflow("agent", "publish", write("twice.yaml", `${TRIAGE}name: other\n`));
  expect(twice.stderr).toContain("twice.yaml");
  const twiceInJson = '{"name":"a","name":"b","version":"1.0.0","instructions":"x"}';
  expect((await lightflow("agent", "publish", write("twice.json", twiceInJson))).code).not.toBe(0);
  const missing = await lightflow(
    "agent",
    "publish",
    write("missing.yaml", TRIAGE.replace("logs.md", "none.md")),
  );
  expect(missing.stderr).toContain("none.md");
  const digest = `sha256:${"0".repeat(64)}`;
  const unknown = TRIAGE.replace("file: logs.md", `digest: ${digest}`).replace("triage", "unknown");
  expect((await lightflow("agent", "publish", write("unknown.yaml", unknown))).stderr).toContain(
    "was never published",
  );
  expect((await lightflow("agent", "publish", "agents/nowhere.yaml")).stderr).toContain("nowhere.yaml");
});

test("a document that is run on its own calls the agents that were published", async () => {
  const agent = {
    name: "stand-in",
    version: "1.0.0",
    instructions: "Say it.",
    model: { provider: "none" },
    skills: [{ name: "a", text: "b" }],
  };
  await json("agent", "publish", write("stand-in.json", JSON.stringify(agent)));
  const calls = (name: string) => ({
    document: { dsl: "1.0.3", namespace: "t", name: "t", version: "1.0.0" },
    do: [{ say: { call: "agent", with: { agent: name, mockOutput: { said: 1 } } } }],
  });
  const run = (name: string) => lightflow("workflow", "run", write("flow.json", JSON.stringify(calls(name))));
  expect(JSON.parse((await run("stand-in")).stdout)).toMatchObject({ output: { said: 1 } });
  const unknown = await run("nobody");
  expect(unknown.code).not.toBe(0);
  expect(unknown.stdout).toContain(
    "no agent is published as nobody; `lightflow agent publish` publishes one",
  );
});
