import { digestOf } from "../../base/canonical.ts";
import { fail } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { createPlan, policyRegistry, type StoredSnapshot } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { workspacePolicies } from "../policy/workspace.ts";
import { draftRun } from "./draft.ts";
import { exportPlan } from "./export.ts";
import { manifestOf } from "./manifest.ts";
import { newRecord, PlanInput, RunManifest } from "./shapes.ts";

export const createRun = defineOperation({
  name: "run.create",
  scope: "run",
  summary: "Plan a run that its user takes step by step; nothing is sent yet",
  method: "POST",
  path: "/runs",
  status: 202,
  input: PlanInput,
  output: RunManifest,
  async run(context, input) {
    const draft = await draftRun(context, { ...input, inputs: input.inputs as Json | undefined });
    if (draft.issues.length > 0) {
      throw fail("invalid_request", `invalid request: ${draft.issues.join("; ")}`, {
        hint: `look at the plan: lightflow run preview ${input.workflow_asset_id}`,
        details: { issues: draft.issues },
      });
    }
    const [{ newInstance }, { snapshotPolicy }] = await Promise.all([
      import("../../engine/index.ts"),
      import("../../policy/index.ts"),
    ]);
    const now = context.clock.wall();
    const instanceId = newId();
    const policy = snapshotPolicy(
      context.views.read(policyRegistry, { tenantId: context.tenantId }),
      draft.document as JsonObject,
      await workspacePolicies(context.root),
    );
    const named = draft.document["document"] as { namespace: string; name: string; version: string };
    const plan = await context.records.write(createPlan, {
      instanceId,
      tenantId: context.tenantId,
      runId: draft.runId,
      requestDigest: digestOf(draft.request),
      workflow: input.workflow_asset_id,
      request: draft.request as unknown as JsonObject,
      definition: draft.definition as unknown as JsonObject,
      document: {
        digest: draft.digest,
        namespace: named.namespace,
        name: named.name,
        version: named.version,
        assetId: input.workflow_asset_id,
        document: () => JSON.stringify(draft.document),
      },
      policy: { digest: policy.digest, body: JSON.stringify(policy.body) },
      snapshot: {
        ...newInstance(instanceId, draft.runId, now),
        raw_input: draft.inputs,
      } as unknown as StoredSnapshot,
      steps: draft.steps.map(({ planned, cortex }) => ({
        step_id: planned.id,
        record: (requestId: string) => newRecord(planned.id, planned.asset, cortex(requestId)!),
      })),
      now,
    });
    exportPlan(context, plan);
    return manifestOf(plan);
  },
});
