import { type AssetMeta, node } from "../preload/lightflow.ts";

export const META = {
  id: "llm.classify",
  title: "LLM Classify",
  kind: "node",
  description: "Lets a language model choose one of several labels for a text; null where it names none.",
  stability: "stable",
  version: "1.0.0",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("text", { type: "string", required: true, widget: "textarea" })
    .input("labels", { type: "string", list: true, required: true })
    .input("model", {
      type: "string",
      description: "A model of /ctx; demo answers without a network",
      default: "demo",
    })
    .output("label", { type: "json" })
    .output("answer", { type: "string", required: true })
    .api("openai.chat", {
      request: {
        model: "${ .inputs.model }",
        messages: [
          {
            role: "system",
            content:
              '${ "Answer with one of these labels and nothing else: " + (.inputs.labels | join(", ")) }',
          },
          { role: "user", content: "${ .inputs.text }" },
        ],
      },
    })
    .result({
      answer: '${ .output.choices[0].message.content // "" }',
      label:
        '${ .inputs.labels as $labels | (.output.choices[0].message.content // "" | ascii_downcase) as $said | [$labels[] | select(. as $label | $said | contains($label | ascii_downcase))] | .[0] }',
    });
}
