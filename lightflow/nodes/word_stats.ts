import { type AssetMeta, node } from "../preload/lightflow.ts";

export const META = {
  id: "node.word_stats",
  title: "Word Stats",
  kind: "node",
  description: "Counts the words of a text and finds the longest.",
  stability: "draft",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("text", { type: "string", required: true })
    .output("words", { type: "integer", required: true })
    .output("longest", { type: "string", required: true })
    .code();
}

export function run({ text }: { readonly text: string }) {
  const words = text.match(/[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu) ?? [];
  const longest = words.reduce((best, word) => (word.length > best.length ? word : best), "");
  return { words: words.length, longest };
}
