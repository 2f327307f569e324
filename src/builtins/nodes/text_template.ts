import { type AssetMeta, node } from "../preload/lightflow.ts";

export const META = {
  id: "text.template",
  title: "Text Template",
  kind: "node",
  description: "Puts values into a text: each {name} becomes the value of that name.",
  stability: "stable",
  version: "1.0.0",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("template", {
      type: "string",
      description: "Text with {name} in it",
      required: true,
      widget: "textarea",
    })
    .input("values", { type: "json", description: "An object of values by name", required: true })
    .output("text", { type: "string", required: true })
    .value({
      text: '${ .inputs.values as $values | .inputs.template | gsub("\\\\{(?<name>[A-Za-z_][A-Za-z0-9_]*)\\\\}"; ($values[.name] // "") | tostring) }',
    });
}
