import { type AssetMeta, model } from "../preload/lightflow.ts";

export const META = {
  id: "llm.planner",
  title: "Planner LLM",
  kind: "model",
  description: "Language model that turns a request into a plan of steps.",
  stability: "draft",
} as const satisfies AssetMeta;

export function define() {
  return model(META.id).capability("chat");
}
