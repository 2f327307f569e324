import { expect, test } from "bun:test";
import type { AgentWork } from "../../protocol/index.ts";
import { openToolDesk } from "./tool-desk.ts";

const work = {
  allowedTools: ["list", "read", "run"],
  commands: [{ name: "test", command: "npm", arguments: ["test"], environment: {} }],
} as unknown as AgentWork;

test("a built-in tool is called with what it takes, and nothing beside it", () => {
  const desk = openToolDesk(work);
  const told = (name: string, given: unknown) => desk.permit(name, JSON.stringify(given));
  expect(told("read", { path: "a" })).toEqual({ builtIn: "read" });
  expect(told("list", {})).toEqual({ builtIn: "list" });
  expect(told("run", { command: "test" })).toEqual({ builtIn: "run" });
  for (const [name, given, why] of [
    ["read", { path: "a", follow: true }, "read takes path, and no follow"],
    ["read", { path: "a", ["__proto__x"]: 1 }, "and no __proto__x"],
    ["read", {}, "read takes path: path is missing"],
    ["read", { path: 7 }, "path must be a text"],
    ["run", { name: "test" }, "run takes command, and no name"],
    ["run", { command: ["rm"] }, "command must be a text"],
    ["run", { command: "test", values: {} }, "and no values"],
  ] as const)
    expect(told(name, given)).toEqual({ refused: expect.stringContaining(why) });
  expect(told("write", { path: "a", content: "b" })).toEqual({
    refused: expect.stringContaining("there is no tool write here"),
  });
});
