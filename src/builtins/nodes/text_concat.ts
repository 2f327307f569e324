import { type AssetMeta, node } from "../preload/lightflow.ts";

export const META = {
  id: "text.concat",
  title: "Text Concat",
  kind: "node",
  description: "Joins texts with a separator between them.",
  stability: "stable",
  version: "1.0.0",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("parts", { type: "json", list: true, description: "Texts, numbers or booleans", required: true })
    .input("separator", { type: "string", default: "" })
    .output("text", { type: "string", required: true })
    .value({
      text: "${ .inputs.separator as $separator | .inputs.parts | map(tostring) | join($separator) }",
    });
}
