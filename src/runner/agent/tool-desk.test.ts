import { expect, test } from "bun:test";
import { digestOf } from "../../base/canonical.ts";
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

test("a template that is not the approved one makes no command, and two tools of one name are none", () => {
  const template = { id: "count", executable: "/usr/bin/wc" };
  const given = (digest: string) =>
    ({ ...work, templates: [{ name: "count", id: "count", digest, template }] }) as unknown as AgentWork;
  expect(openToolDesk(given(digestOf(template))).permit("run", '{"command":"count"}')).toMatchObject({
    run: { command: "/usr/bin/wc" },
  });
  expect(() => openToolDesk(given(digestOf({ ...template, executable: "/usr/bin/sh" })))).toThrow(
    "not the one that was approved",
  );
  const server = (name: string) => ({
    name,
    command: "x",
    arguments: [],
    environment: {},
    secrets: {},
    pins: {},
  });
  const twice = ["mcp:a.b/find", "mcp:a_b/find"];
  expect(() =>
    openToolDesk({
      ...work,
      allowedTools: twice,
      mcpServers: [server("a.b"), server("a_b")],
    } as unknown as AgentWork),
  ).toThrow();
});

test("a tool that is another one than was published is not offered", () => {
  const tool = { name: "find", description: "Finds.", inputSchema: { type: "object" } };
  const desk = (pin: string) =>
    openToolDesk({
      ...work,
      allowedTools: ["mcp:notes/find"],
      mcpServers: [
        { name: "notes", command: "x", arguments: [], environment: {}, secrets: {}, pins: { find: pin } },
      ],
    } as unknown as AgentWork);
  const digest = digestOf(tool);
  expect(desk(digest).offer("notes", [tool])).toEqual({ find: digest });
  expect(() => desk(digest).offer("notes", [{ ...tool, description: "Finds, and sends." }])).toThrow(
    "was published as",
  );
  expect(() => desk(digest).offer("notes", [])).toThrow("offers no tool find");
});
