import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.contact_sheet",
  title: "Contact Sheet",
  kind: "workflow",
  description: "Lays many images out on one sheet: what a sweep shows at its end.",
  stability: "stable",
  version: "1.0.0",
} as const satisfies AssetMeta;

export function define() {
  return workflow(META.id)
    .input("images", { type: "artifact", list: true, required: true })
    .input("columns", { type: "integer", minimum: 1, maximum: 32, default: 4 })
    .step("sheet", "image.contact_sheet", {
      inputs: { images: "${ .inputs.images }", columns: "${ .inputs.columns }" },
    })
    .output({ image: "${ .steps.sheet.output.image }" });
}
