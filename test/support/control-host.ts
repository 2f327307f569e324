import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Sandbox, sandbox } from "./binary.ts";
import { ask } from "./hand-runner.ts";
import { type Started, startBinary } from "./processes.ts";

/** One host of the compiled executable whose runners are all made by hand, and a project with workflows of one step. */
export interface ControlHost {
  readonly box: Sandbox;
  readonly url: string;
  readonly gateway: string;
  readonly process: Started;
  /** Start a run of one step. `light` is written into the step's options. */
  run(id: string, workflow?: string): Promise<void>;
  status(id: string): Promise<string>;
  stop(): Promise<void>;
}

const workflow = (name: string, step: string) =>
  `import { type AssetMeta, workflow } from "../preload/lightflow.ts";
export const META = { id: "workflow.${name}", title: "One", kind: "workflow", description: "one", stability: "stable" } as const satisfies AssetMeta;
export function define() {
  return workflow(META.id).commandStep("work", ${step});
}
`;

export async function controlHost(name: string, ...flags: string[]): Promise<ControlHost> {
  const box = sandbox(name);
  const folder = join(box.path, "lightflow/workflows");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "one.ts"), workflow("one", '{ command: "true", workspace: "ephemeral" }'));
  writeFileSync(
    join(folder, "marked.ts"),
    workflow("marked", '{ command: "true", workspace: "ephemeral", arguments: ["MARK"] }'),
  );
  const process = await startBinary(
    ["up", "--no-runner", "--no-ctx", "--port", "0", "--controller-port", "0", ...flags],
    box.env,
    box.path,
  );
  return {
    box,
    url: process.ready["controller"]!,
    gateway: process.ready["gateway"]!,
    process,
    async run(id, asset = "workflow.one") {
      const response = await fetch(`${process.ready["gateway"]}/runs/start`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        // Each run is to need a runner, also where the output of its step is known.
        body: JSON.stringify({ workflow_asset_id: asset, run_id: id, no_cache: true }),
      });
      if (!response.ok) throw new Error(await response.text());
    },
    async status(id) {
      return (await ask(box, "run", "get", id))["status"] as string;
    },
    async stop() {
      await process.stop();
      box.remove();
    },
  };
}
