import { type AssetMeta, node } from "../preload/lightflow.ts";

export const META = {
  id: "control.merge",
  title: "Merge",
  kind: "node",
  description:
    "Joins what several ways gave: objects into one, lists one behind the other, else the first value that is there.",
  stability: "stable",
  version: "1.0.0",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("values", { type: "json", list: true, required: true })
    .output("value", { type: "json" })
    .value({
      value:
        '${ [.inputs.values[] | select(. != null)] | if length > 0 and (all(type == "object") or all(type == "array")) then add else .[0] end }',
    });
}
