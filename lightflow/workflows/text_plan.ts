import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.text_plan",
  title: "Text Plan",
  kind: "workflow",
  description: "Drafts a plan in text from a prompt.",
  stability: "draft",
} as const satisfies AssetMeta;

export function define() {
  return workflow(META.id)
    .inputSchema("schemas/text_plan.input.json")
    .outputSchema("schemas/text_plan.output.json")
    .requiredModel("llm.planner")
    .apiStep("draft", "node.llm_prompt", "openai.chat")
    .openaiChatInput("llm.planner", "prompt");
}
