import type { JsonObject } from "../../base/json.ts";

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
  run: definition(
    "run",
    "Run one of the commands of this task, by its name.",
    parameters(["command"], { command: "its name" }),
  ),
};

export const AGENT_TOOLS: readonly string[] = Object.keys(DEFINITIONS);

/** What the model is told of the tools that a lease allows; a name that is no tool of an agent tells it nothing. */
export const toolDefinitions = (allowed: readonly string[]): JsonObject[] =>
  AGENT_TOOLS.filter((name) => allowed.includes(name)).map((name) => DEFINITIONS[name]!);
