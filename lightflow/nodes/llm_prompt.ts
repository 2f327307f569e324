import { type AssetMeta, node } from "../preload/lightflow.ts";

export const META = {
  id: "node.llm_prompt",
  title: "LLM Prompt",
  kind: "node",
  description: "Sends one prompt to a language model and gives back its answer.",
  stability: "draft",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("prompt", { type: "string", description: "What to ask", required: true })
    .output("response", { type: "json", description: "The provider's answer" });
}
