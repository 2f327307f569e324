import { type AssetMeta, node } from "../preload/lightflow.ts";

export const META = {
  id: "llm.structured_output",
  title: "LLM Structured Output",
  kind: "node",
  description:
    "Asks a language model for JSON of a given schema and reads it out of the answer; null where it gives none.",
  stability: "stable",
  version: "1.0.0",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("prompt", { type: "string", required: true, widget: "textarea" })
    .input("schema", { type: "json", description: "JSON Schema of the answer", required: true })
    .input("model", {
      type: "string",
      description: "A model of /ctx; demo answers without a network",
      default: "demo",
    })
    .output("value", { type: "json" })
    .output("text", { type: "string", required: true })
    .api("openai.chat", {
      request: {
        model: "${ .inputs.model }",
        messages: [
          {
            role: "system",
            content:
              '${ "Answer with one JSON value of this JSON Schema and nothing else: " + (.inputs.schema | tojson) }',
          },
          { role: "user", content: "${ .inputs.prompt }" },
        ],
      },
    })
    .result({
      text: '${ .output.choices[0].message.content // "" }',
      value:
        '${ (.output.choices[0].message.content // "") | ((capture("```(?:json)?[ \\\\t]*\\\\n(?<body>[\\\\s\\\\S]*?)```") | .body) // .) | (try fromjson catch null) }',
    });
}
