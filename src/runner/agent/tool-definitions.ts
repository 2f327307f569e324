import type { JsonObject } from "../../base/json.ts";
import type { AgentWork } from "../../protocol/index.ts";

const parameters = (required: readonly string[], properties: Record<string, string>): JsonObject => ({
  type: "object",
  properties: Object.fromEntries(
    Object.entries(properties).map(([name, description]) => [name, { type: "string", description }]),
  ),
  required: [...required],
  additionalProperties: false,
});

const definition = (name: string, description: string, given: JsonObject): JsonObject => ({
  type: "function",
  function: { name, description, parameters: given },
});

const DEFINITIONS: Readonly<Record<string, JsonObject>> = {
  list: definition("list", "The files of the workspace.", parameters([], { path: "a directory" })),
  read: definition("read", "The text of a file.", parameters(["path"], { path: "a path in the workspace" })),
  search: definition(
    "search",
    "Lines that hold a text.",
    parameters(["text"], { text: "what to look for, literally", path: "where; all files without" }),
  ),
  write: definition(
    "write",
    "Write a file as a whole.",
    parameters(["path", "content"], { path: "a path in the workspace", content: "all of its text" }),
  ),
  patch: definition(
    "patch",
    "Put a text in the place of another one that the file holds once.",
    parameters(["path", "old", "new"], {
      path: "the file",
      old: "the text that is there",
      new: "the new text",
    }),
  ),
};

/** What the model is told of the built-in tools that a lease allows, the tool `run` apart. */
export const builtInTools = (allowed: readonly string[]): JsonObject[] =>
  Object.keys(DEFINITIONS)
    .filter((name) => allowed.includes(name))
    .map((name) => DEFINITIONS[name]!);

/** The tool `run`: one of the task's commands by its name, with the values that its template asks for. */
export function runTool(
  commands: AgentWork["commands"],
  templates: NonNullable<AgentWork["templates"]>,
): JsonObject {
  const names = [...commands, ...templates].map(({ name }) => name);
  const command = { type: "string", description: "its name", ...(names.length === 0 ? {} : { enum: names }) };
  if (templates.length === 0) {
    return definition("run", "Run one of the commands of this task, by its name.", {
      type: "object",
      properties: { command },
      required: ["command"],
      additionalProperties: false,
    });
  }
  const about = templates.map(({ name, template: { description, slots = [] } }) => {
    const values = slots.map((slot) => {
      const rule = slot.allowedValues?.join(" | ") ?? slot.pattern;
      return `${slot.name}${slot.required === false ? "?" : ""}${rule === undefined ? "" : ` (${rule})`}`;
    });
    return `${name}: ${[description, `values: ${values.join(", ") || "none"}`].filter(Boolean).join(" ")}`;
  });
  return definition("run", `Run one of the commands of this task, by its name.\n${about.join("\n")}`, {
    type: "object",
    properties: {
      command,
      values: { type: "object", description: "by their names", additionalProperties: { type: "string" } },
    },
    required: ["command"],
    additionalProperties: false,
  });
}
