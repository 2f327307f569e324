import { BUILT_IN, permissionsProblem, type Tool } from "../exchange/tools/registry.ts";
import { collection, fixed, type Place, setting, text, view } from "./build.ts";
import { exchange } from "./home.ts";
import type { Directory, Node } from "./node.ts";

/** `tool/`: the built-in tools. What each caller commits and gets is that caller's alone. */
export function toolDirectory(place: Place): Directory {
  return collection(place, {
    names: () => BUILT_IN.map((tool) => tool.id),
    type: () => "directory",
    make: (name) => {
      const tool = BUILT_IN.find((candidate) => candidate.id === name);
      return tool === undefined ? undefined : toolFiles(place, tool, "tool", builtInFiles(place, tool));
    },
  });
}

function builtInFiles(place: Place, tool: Tool): Record<string, Node> {
  if (tool.id !== "filesystem.read") return {};
  return {
    root: setting(place, "tool/filesystem.read/root", {
      valid: (path) => path === "" || path.startsWith("/"),
    }),
  };
}

export function toolFiles(
  place: Place,
  tool: Tool,
  surface: string,
  extra: Record<string, Node> = {},
): Directory {
  const { engine } = place;
  const json = (value: unknown) => view(place, { content: () => `${JSON.stringify(value, null, 2)}\n` });
  return fixed(place, {
    context: text(place, `system:tool:${tool.id}:s0`),
    name: text(place, tool.id),
    description: text(place, tool.description),
    kind: text(place, tool.kind),
    "input_schema.json": json(tool.inputSchema),
    "output_schema.json": json(tool.outputSchema),
    permissions: setting(place, `tool/${tool.id}/permissions`, {
      initial: () => engine.tools.permissions(tool),
      valid: (value) => !permissionsProblem(value),
    }),
    invoke: fixed(place, exchange(place, `${surface}/${tool.id}`, undefined)),
    ...extra,
  });
}
