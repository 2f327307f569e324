import { type AssetMeta, node } from "../preload/lightflow.ts";

export const META = {
  id: "text.regex",
  title: "Text Regex",
  kind: "node",
  description: "Finds every match of a pattern, and replaces them where a replacement is given.",
  stability: "stable",
  version: "1.0.0",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("text", { type: "string", required: true })
    .input("pattern", { type: "string", description: "A regular expression", required: true })
    .input("flags", { type: "string", default: "g", pattern: "[gimnpslx]*" })
    .input("replacement", { type: "string", description: "Literal text in the place of each match" })
    .output("text", { type: "string", required: true })
    .output("matches", { type: "json", list: true, required: true })
    .value({
      text: "${ .inputs as $in | if $in.replacement == null then $in.text else $in.text | gsub($in.pattern; $in.replacement; $in.flags) end }",
      matches:
        "${ .inputs as $in | [$in.text | match($in.pattern; $in.flags) | {text: .string, at: .offset, groups: [.captures[] | .string]}] }",
    });
}
