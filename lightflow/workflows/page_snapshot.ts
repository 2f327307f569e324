import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.page_snapshot",
  title: "Page Snapshot",
  kind: "workflow",
  description: "Keeps a web page as a picture, as HTML and as PDF.",
  stability: "draft",
} as const satisfies AssetMeta;

export function define() {
  return workflow(META.id)
    .input("url", { type: "string", required: true })
    .step("page", "node.page_snapshot", {
      inputs: { url: "${ .inputs.url }" },
      timeout: "PT2M",
    })
    .output({
      title: "${ .steps.page.output.title }",
      picture: "${ .steps.page.output.picture }",
      pdf: "${ .steps.page.output.pdf }",
    });
}
