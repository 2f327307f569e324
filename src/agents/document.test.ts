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

test("a reference is a name, or a name and a version", () => {
  expect(agentReference("triage")).toEqual({ name: "triage", version: null });
  expect(agentReference("triage:1.0.0-rc.1")).toEqual({ name: "triage", version: "1.0.0-rc.1" });
});
