import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.text_report",
  title: "Text Report",
  kind: "workflow",
  description: "Counts the words of two texts side by side and of each line of a third, and writes a report.",
  stability: "draft",
} as const satisfies AssetMeta;

export function define() {
  return (
    workflow(META.id)
      .input("first", { type: "string", required: true, widget: "textarea" })
      .input("second", { type: "string", required: true, widget: "textarea" })
      .input("lines", { type: "string", list: true, default: [] })
      // Neither reads the other, so both run at once.
      .step("one", "composition.titled", { inputs: { title: "First", text: "${ .inputs.first }" } })
      .step("two", "composition.titled", { inputs: { title: "Second", text: "${ .inputs.second }" } })
      .step("each", "node.word_stats", {
        map: { over: "${ .inputs.lines }", concurrency: 4 },
        inputs: { text: "${ .item }" },
      })
      .step("report", "text.concat", {
        inputs: {
          parts: ["${ .steps.one.output.line }", "${ .steps.two.output.line }"],
          separator: "\n",
        },
      })
      .output({
        report: "${ .steps.report.output.text }",
        words:
          "${ .steps.one.output.words + .steps.two.output.words + ([.steps.each.output[].words] | add // 0) }",
        longest: "${ [.steps.each.output[].longest] | max_by(length) // null }",
      })
  );
}
