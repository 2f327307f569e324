import { type AssetMeta, node } from "../preload/lightflow.ts";

export const META = {
  id: "llm.prompt",
  title: "LLM Prompt",
  kind: "node",
  description: "Asks a language model one question through /ctx and gives its text.",
  stability: "stable",
  version: "1.0.0",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("prompt", { type: "string", required: true, widget: "textarea" })
    .input("system", { type: "string", description: "How to answer", default: "" })
    .input("model", {
      type: "string",
      description: "A model of /ctx; demo answers without a network",
      default: "demo",
    })
    .output("text", { type: "string", required: true })
    .api("openai.chat", {
      request: {
        model: "${ .inputs.model }",
        messages:
          '${ (if .inputs.system == "" then [] else [{role: "system", content: .inputs.system}] end) + [{role: "user", content: .inputs.prompt}] }',
      },
    })
    .result({ text: '${ .output.choices[0].message.content // "" }' });
}
