import { expect, test } from "bun:test";
import { agentReference, readAgent } from "./index.ts";

const AGENT = { name: "triage", version: "1.0.0", instructions: "Sort." };

test("a skill's text becomes its digest, and the agent's digest covers it", () => {
  const one = readAgent({ ...AGENT, skills: [{ name: "log", text: "Read the last lines." }] });
  const other = readAgent({ ...AGENT, skills: [{ name: "log", text: "Read the first lines." }] });
  expect(one.agent.skills).toEqual([{ name: "log", digest: [...one.skills.keys()][0]! }]);
  expect([...one.skills.values()]).toEqual(["Read the last lines."]);
  expect(one.digest).not.toBe(other.digest);
  expect(readAgent({ ...AGENT, skills: one.agent.skills }).digest).toBe(one.digest);
});

test("what is no agent is refused with its place", () => {
  for (const [wrong, place] of [
    [{ ...AGENT, instruction: "x" }, "/instruction"],
    [{ ...AGENT, version: "1" }, "/version"],
    [{ ...AGENT, name: "a/b" }, "/name"],
    [{ ...AGENT, instructions: "" }, "/instructions"],
    [{ ...AGENT, tools: ["git", "git"] }, "/tools"],
    [{ ...AGENT, budgets: { tokens: 0 } }, "/budgets/tokens"],
    [{ ...AGENT, budgets: { costMicros: 1 } }, "/budgets/costMicros"],
    [{ ...AGENT, service: { endpoint: "file:///etc/passwd" } }, "/service/endpoint"],
    [
      {
        ...AGENT,
        skills: [
          { name: "a", text: "1" },
          { name: "a", text: "2" },
        ],
      },
      "/skills",
    ],
  ] as const) {
    expect(() => readAgent(wrong)).toThrow(place);
  }
});

const NOTES = { name: "notes", command: "/opt/notes" };
const TOKEN = { environment: { TOKEN: "runner-secret://notes" } };

test("an agent's servers are its own: every tool has one, every one a program, and a model can tell all tools apart", () => {
  const one = readAgent({
    ...AGENT,
    tools: ["read", "mcp:notes/find"],
    mcpServers: [{ ...NOTES, ...TOKEN }],
  });
  expect(one.agent.mcpServers).toEqual([{ ...NOTES, ...TOKEN }]);
  for (const [tools, mcpServers, place] of [
    [["mcp:notes/find"], [], "mcp:notes/find is of no server"],
    [["mcp:notes/"], [NOTES], "/tools/0"],
    [[], [NOTES, NOTES], "/mcpServers/1/name"],
    [[], [{ name: "notes" }], "/mcpServers/0: a server has either"],
    [[], [{ ...NOTES, commandTemplateId: "notes" }], "/mcpServers/0: a server has either"],
    [[], [{ ...NOTES, url: "http://x" }], "/mcpServers/0/url"],
    [[], [{ ...NOTES, environment: { A: "Bearer runner-secret://x" } }], "/mcpServers/0/environment/A"],
    [[], [{ ...NOTES, environment: { A: "saas-secret://x" } }], "/mcpServers/0/environment/A"],
    [
      ["mcp:a.b/find", "mcp:a_b/find"],
      [
        { ...NOTES, name: "a.b" },
        { ...NOTES, name: "a_b" },
      ],
      "a model would call mcp:a.b/find and mcp:a_b/find by one name, a_b__find",
    ],
    [["mcp:notes/find", "mcp:notes/Find"], [NOTES], "by one name"],
    [[`mcp:notes/${"x".repeat(80)}`], [NOTES], "too long a name for a model"],
    // What a model wrote could read the environment of the server beside it.
    [["run", "mcp:notes/find"], [{ ...NOTES, ...TOKEN }], "holds a secret"],
  ] as const) {
    expect(() => readAgent({ ...AGENT, tools, mcpServers })).toThrow(place);
  }
});

test("a reference is a name, or a name and a version", () => {
  expect(agentReference("triage")).toEqual({ name: "triage", version: null });
  expect(agentReference("triage:1.0.0-rc.1")).toEqual({ name: "triage", version: "1.0.0-rc.1" });
});
