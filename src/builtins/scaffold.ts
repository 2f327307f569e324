import type { BuiltinAsset } from "./assets.ts";

type Kind = BuiltinAsset["kind"];

/** What stands behind `META` in a new asset: a small one that works, to be changed. */
const BODIES: Readonly<Record<Kind, string>> = {
  node: `export function define() {
  return node(META.id)
    .input("text", { type: "string", description: "What to work on", required: true })
    .output("text", { type: "string", description: "The same in capital letters", required: true })
    .value({ text: "\${ .inputs.text | ascii_upcase }" });
}
`,
  composition: `export function define() {
  return composition(META.id)
    .input("text", { type: "string", description: "What to work on", required: true })
    .output("text", { type: "string", description: "The text without blanks around it", required: true })
    .set("trimmed", { text: "\${ .inputs.text | trim }" })
    .result({ text: "\${ .steps.trimmed.output.text }" });
}
`,
  model: `export function define() {
  return model(META.id)
    .capability("chat")
    // The first candidate that fits a request's format is asked for; the route of /ctx finds who serves it.
    .candidate({ model: "demo" });
}
`,
  workflow: `export function define() {
  return workflow(META.id)
    .input("name", { type: "string", description: "Who to greet", default: "world" })
    .set("greeting", { text: '\${ "Hello, \\\\(.inputs.name)!" }' })
    .output({ greeting: "\${ .steps.greeting.output.text }" });
}
`,
};

/** The text of a new asset that passes every check. `title` and `id` become literals. */
export function scaffold(kind: Kind, id: string, title: string): string {
  return `import { type AssetMeta, ${kind} } from "../preload/lightflow.ts";

export const META = {
  id: ${JSON.stringify(id)},
  title: ${JSON.stringify(title)},
  kind: "${kind}",
  description: "Says in one sentence what it does.",
  stability: "draft",
} as const satisfies AssetMeta;

${BODIES[kind]}`;
}
