import { type AssetMeta, node } from "../preload/lightflow.ts";

export const META = {
  id: "control.map",
  title: "Map",
  kind: "node",
  description: "Takes the same members out of every item of a list, or fills a text for each.",
  stability: "stable",
  version: "1.0.0",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("items", { type: "json", list: true, required: true })
    .input("pick", {
      type: "string",
      list: true,
      description: "Members to keep of each item; one alone gives its value",
    })
    .input("template", { type: "string", description: "Text with {name} for members of the item" })
    .output("items", { type: "json", list: true, required: true })
    .value({
      items:
        '${ .inputs as $in | [$in.items[] as $item | if $in.template != null then $in.template | gsub("\\\\{(?<name>[A-Za-z_][A-Za-z0-9_]*)\\\\}"; ($item[.name] // "") | tostring) elif ($in.pick // []) == [] then $item elif ($in.pick | length) == 1 then $item[$in.pick[0]] else [$in.pick[] as $key | {($key): $item[$key]}] | add end] }',
    });
}
