import { type AssetMeta, composition } from "../preload/lightflow.ts";

export const META = {
  id: "composition.titled",
  title: "Titled",
  kind: "composition",
  description: "A line with a title before it and the number of its words behind it.",
  stability: "draft",
} as const satisfies AssetMeta;

export function define() {
  return composition(META.id)
    .input("title", { type: "string", required: true })
    .input("text", { type: "string", required: true })
    .output("line", { type: "string", required: true })
    .output("words", { type: "integer", required: true })
    .step("count", "node.word_stats", { inputs: { text: "${ .inputs.text }" } })
    .step("line", "text.template", {
      inputs: {
        template: "{title}: {text} ({words} words)",
        values: {
          title: "${ .inputs.title }",
          text: "${ .inputs.text }",
          words: "${ .steps.count.output.words }",
        },
      },
    })
    .result({ line: "${ .steps.line.output.text }", words: "${ .steps.count.output.words }" });
}
