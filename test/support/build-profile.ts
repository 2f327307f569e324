import type { JsonObject } from "../../src/base/json.ts";
import type { PolicyLayer } from "../../src/policy/index.ts";
import { documentOf, type Plane, runner } from "./control-plane.ts";

/** An execution profile, `build`, as an operator publishes it. */
export const PROFILE = (policy: PolicyLayer = {}): JsonObject => ({
  id: "build",
  policy: {
    sandboxMode: "none",
    boundary: "process",
    approvalRequired: false,
    directCommands: true,
    hostExposure: "read-only",
    artifactExport: true,
    allow: {
      runnerPools: ["default"],
      capabilities: ["git"],
      executables: ["/"],
      environmentNames: ["*"],
      mounts: ["/srv"],
      artifactPaths: ["dist"],
      commandTemplates: ["*"],
      actions: ["*"],
    },
    limits: { concurrency: 8 },
    ...policy,
  } as JsonObject,
});

/** A document under that profile. */
export const onBuild = (tasks: JsonObject[]): JsonObject =>
  documentOf(tasks, {
    name: "child",
    metadata: { lightWorkflow: { runner: { executionProfile: "build" } } },
  });
export const startOnBuild = (p: Plane, runId: string, tasks: JsonObject[]) =>
  p.startDocument(runId, onBuild(tasks));

/** A runner whose approval names the profile. */
export async function builder(p: Plane) {
  return await runner(p, "r1", "default", ["default", "build"]);
}

/** Why a run that faulted did. */
export const errorOf = (row: { snapshot: string }) =>
  (JSON.parse(row.snapshot) as { error: { title: string; detail: string; data: JsonObject } }).error;
