import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.image_sheet",
  title: "Image Sheet",
  kind: "workflow",
  description: "Draws an image for each seed, makes small ones of them, and lays them out on one sheet.",
  stability: "draft",
} as const satisfies AssetMeta;

export function define() {
  return (
    workflow(META.id)
      .input("seeds", {
        type: "integer",
        list: true,
        description: "One image for each",
        default: [1, 2, 3, 4],
      })
      .input("size", { type: "integer", minimum: 8, maximum: 512, default: 96, widget: "slider" })
      .step("draw", "node.gradient", {
        title: "Draw",
        map: { over: "${ .inputs.seeds }", concurrency: 2 },
        inputs: { seed: "${ .item }", size: 256 },
      })
      .step("small", "image.thumbnail", {
        title: "Make small",
        map: { over: "${ [.steps.draw.output[].image] }", concurrency: 2 },
        inputs: { image: "${ .item }", size: "${ .inputs.size }" },
      })
      // Needs the first image only, so it runs beside the sheet.
      .step("cover", "image.rotate", {
        title: "Turn the first one",
        inputs: { image: "${ .steps.draw.output[0].image }", degrees: 180, format: "webp" },
      })
      .step("sheet", "image.contact_sheet", {
        title: "Lay out",
        inputs: {
          images: "${ [.steps.small.output[].image] }",
          cell: "${ .inputs.size }",
          columns: "${ .inputs.seeds | length | sqrt | ceil }",
        },
      })
      .output({
        sheet: "${ .steps.sheet.output.image }",
        cover: "${ .steps.cover.output.image }",
        width: "${ .steps.sheet.output.width }",
        colours: "${ [.steps.draw.output[].from] }",
      })
  );
}
