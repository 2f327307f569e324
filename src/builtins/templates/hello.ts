import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.hello",
  title: "Hello",
  kind: "workflow",
  description: "Greets somebody by name: a first workflow to change.",
  stability: "draft",
} as const satisfies AssetMeta;

// A script is literal text; inputs arrive as its arguments, so nothing in them is ever read as shell.
const GREET = `set -eu
printf 'Hello, %s!\\n' "$1"
letters=$(printf '%s' "$1" | wc -m | tr -d ' ')
printf '{"letters":%s}\\n' "$letters" >"$LIGHTFLOW_OUTPUT"
`;

export function define() {
  return workflow(META.id)
    .input("name", { type: "string", description: "Who to greet", default: "world" })
    .commandStep("greet", {
      title: "Greet",
      command: "sh",
      arguments: ["-c", GREET, "sh", "${ .inputs.name }"],
      output: "json",
      repeatable: true,
    })
    .assertStep("named", {
      that: "${ .steps.greet.output.letters > 0 }",
      message: "the name is empty",
    })
    .output({
      greeting: '${ "Hello, \\(.inputs.name)!" }',
      letters: "${ .steps.greet.output.letters }",
    });
}
