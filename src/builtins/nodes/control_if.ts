import { type AssetMeta, node } from "../preload/lightflow.ts";

export const META = {
  id: "control.if",
  title: "If",
  kind: "node",
  description: "Gives one of two values.",
  stability: "stable",
  version: "1.0.0",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("condition", { type: "json", description: "null and false choose otherwise", required: true })
    .input("then", { type: "json" })
    .input("otherwise", { type: "json" })
    .output("value", { type: "json" })
    .value({ value: "${ if .inputs.condition then .inputs.then else .inputs.otherwise end }" });
}
