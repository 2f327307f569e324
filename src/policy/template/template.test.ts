import { expect, test } from "bun:test";
import { renderTemplate } from "../../protocol/template/render.ts";
import { CommandTemplate } from "../../protocol/template/schema.ts";
import { validate } from "../../protocol/validate.ts";
import { checkTemplate } from "./check.ts";

const TEMPLATE: CommandTemplate = {
  id: "release-build",
  command: "./release.sh",
  executable: "/opt/release/bin/release",
  fixedArguments: ["build", "--version", "--"],
  slots: [
    { name: "version", argumentIndex: 2, pattern: "\\d+\\.\\d+\\.\\d+", maximumBytes: 32 },
    { name: "target", argumentIndex: 4, allowedValues: ["all", "java", "--none"] },
    { name: "note", argumentIndex: 5, required: false },
  ],
  environmentNames: ["LANG"],
};
const call = (values: string[], more = {}) => ({
  command: "./release.sh",
  arguments: values,
  environment: {},
  ...more,
});
const render = (values: string[], more = {}) => renderTemplate(TEMPLATE, call(values, more)).arguments;

test("values stand at their places, fixed arguments fill the others, an empty optional slot is left out", () => {
  expect(render(["1.2.3", "java", "a note"])).toEqual([
    "build",
    "--version",
    "1.2.3",
    "--",
    "java",
    "a note",
  ]);
  expect(render(["1.2.3", "all"])).toEqual(["build", "--version", "1.2.3", "--", "all"]);
  expect(renderTemplate(TEMPLATE, call(["1.2.3", "all"])).command).toBe("/opt/release/bin/release");
});

test("a value never stands in the place of an optional one before it, whose rules are others", () => {
  const slots = [
    { name: "mode", argumentIndex: 0, allowedValues: ["fast", "safe"], required: false },
    { name: "note", argumentIndex: 1, required: false },
  ];
  const two: CommandTemplate = { id: "t", executable: "/bin/ls", slots };
  const given = (values: (string | undefined)[]) =>
    renderTemplate(two, { command: "t", arguments: values, environment: {} }).arguments;
  expect(given(["fast"])).toEqual(["fast"]);
  expect(given(["fast", "anything"])).toEqual(["fast", "anything"]);
  expect(() => given([undefined, "anything"])).toThrow("needs a value for mode where note has one");
});

test("a value with a dash in front is refused unless the slot lists it or says so", () => {
  expect(() => render(["1.2.3", "all", "--exec=rm"])).toThrow("begins with -");
  expect(render(["1.2.3", "--none"]).at(-1)).toBe("--none");
  const slot = { name: "flag", argumentIndex: 0, leadingDash: true };
  const free: CommandTemplate = { id: "t", executable: "/bin/ls", slots: [slot] };
  expect(renderTemplate(free, { command: "t", arguments: ["-l"], environment: {} }).arguments).toEqual([
    "-l",
  ]);
});

for (const value of [
  "a;b",
  "a&&b",
  "a||b",
  "a|b",
  "$(id)",
  "`id`",
  "a<b",
  "a>b",
  "a\nb",
  "a\rb",
  "a\0b",
  "${ .x }",
  "runner-secret://x",
  "é".repeat(600),
]) {
  test(`the value ${JSON.stringify(value).slice(0, 20)} is refused`, () => {
    expect(() => render(["1.2.3", "all", value])).toThrow("the value of note");
  });
}

test("a pattern is of the whole value", () => {
  expect(() => render(["1.2.3; rm", "all"])).toThrow("the value of version");
  expect(() => render(["x1.2.3", "all"])).toThrow("does not match");
});

test("what a task may not bring is refused by name", () => {
  expect(() => render(["1.2.3"])).toThrow("needs a value for target");
  expect(() => render(["1.2.3", "all", "n", "more"])).toThrow("takes 3 arguments, not 4");
  expect(() => render(["1.2.3", "all"], { environment: { LD_PRELOAD: "x" } })).toThrow("LD_PRELOAD");
  expect(() => render(["1.2.3", "all"], { stdin: "x" })).toThrow("standard input");
  expect(() => render(["1.2.3", "all"], { command: "rm" })).toThrow('is for the command "./release.sh"');
});

const check = (more: Partial<CommandTemplate>, executables?: string[]) =>
  checkTemplate(validate(CommandTemplate, { ...TEMPLATE, ...more }), executables);

test("a good template is published, under the service policy's list too", () => {
  check({});
  check({}, ["/opt/release"]);
  check({ executable: "/usr/bin/python3" }, ["/usr/bin/python3"]);
});

for (const [what, more, executables] of [
  ["a shell", { executable: "/bin/bash" }],
  ["a shell that the policy lists", { executable: "/bin/sh" }, ["/bin/sh"]],
  ["env", { executable: "/usr/bin/env" }],
  ["sudo", { executable: "/usr/bin/sudo" }],
  ["an interpreter", { executable: "/usr/bin/python3.13" }],
  ["an interpreter in a listed folder", { executable: "/usr/bin/perl" }, ["/usr/bin"]],
  ["a relative program", { executable: "bin/release" }],
  ["a program with white space", { executable: "/opt/a b" }],
  ["a program that the policy does not list", { executable: "/opt/other" }, ["/opt/release"]],
  ["a program beside a listed one", { executable: "/opt/release-x/a" }, ["/opt/release"]],
  ["a gap", { slots: [{ name: "a", argumentIndex: 9 }] }],
  [
    "a slot twice",
    {
      slots: [
        { name: "a", argumentIndex: 0 },
        { name: "a", argumentIndex: 1 },
      ],
    },
  ],
  [
    "two slots at one place",
    {
      slots: [
        { name: "a", argumentIndex: 0 },
        { name: "b", argumentIndex: 0 },
      ],
    },
  ],
  [
    "a required slot behind an optional one",
    {
      slots: [
        { name: "a", argumentIndex: 0, required: false },
        { name: "b", argumentIndex: 1 },
      ],
    },
  ],
  ["a pattern that backtracks", { slots: [{ name: "a", argumentIndex: 0, pattern: "(a)\\1" }] }],
  ["a directory beside the workspace", { workingDirectory: "../x" }],
  ["an absolute directory", { workingDirectory: "/workspace-x" }],
  ["a variable that looks like a secret", { environmentNames: ["GITHUB_TOKEN"] }],
  ["a fixed argument for a shell", { fixedArguments: ["a", "b", "$(id)"] }],
  ["an unknown field", { shell: true }],
] as [string, object, string[]?][]) {
  test(`a template with ${what} is refused`, () => {
    expect(() => check(more, executables)).toThrow();
  });
}
