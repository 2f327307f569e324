import { type AssetMeta, node } from "../preload/lightflow.ts";

export const META = {
  id: "text.json_extract",
  title: "JSON Extract",
  kind: "node",
  description: "Reads JSON out of a text, also from a fenced block, and takes the value at a path.",
  stability: "stable",
  version: "1.0.0",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("text", {
      type: "string",
      description: "A text that is or holds JSON",
      required: true,
      widget: "textarea",
    })
    .input("path", {
      type: "json",
      list: true,
      description: "Keys and indexes that lead to the value",
      default: [],
    })
    .output("value", { type: "json" })
    .value({
      value:
        '${ .inputs as $in | ($in.text | (capture("```(?:json)?[ \\\\t]*\\\\n(?<body>[\\\\s\\\\S]*?)```") | .body) // .) | fromjson | getpath($in.path) }',
    });
}
