import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.self_check",
  title: "Self Check",
  kind: "workflow",
  description:
    "Runs one small command on a runner and checks what it reports: proof that the roles work together.",
  stability: "stable",
  version: "1.0.0",
} as const satisfies AssetMeta;

const SCRIPT = `set -eu
echo "workspace: $LIGHTFLOW_WORKSPACE"
printf '{"word":"ready","user":%s,"files":%s}\\n' "$(id -u)" "$(ls -A | wc -l | tr -d ' ')" >"$LIGHTFLOW_OUTPUT"
`;

export function define() {
  return workflow(META.id)
    .commandStep("probe", {
      title: "Run a command",
      command: "sh",
      arguments: ["-c", SCRIPT, "sh"],
      output: "json",
      repeatable: true,
      timeout: "PT30S",
    })
    .assertStep("reported", {
      that: '${ .steps.probe.exitCode == 0 and .steps.probe.output.word == "ready" }',
      message: "the runner did not report back",
    })
    .output({ runner_user: "${ .steps.probe.output.user }" });
}
