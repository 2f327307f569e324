import type { Json, JsonObject } from "../../base/json.ts";
import { defineOperation } from "../operation.ts";
import { draftRun } from "./draft.ts";
import { renderRequest } from "./render.ts";
import { PlanInput, RunPreview } from "./shapes.ts";

export const previewRun = defineOperation({
  name: "run.preview",
  scope: "read",
  summary: "What a run would send where, and everything that stands against it; nothing is written",
  method: "POST",
  path: "/runs/preview",
  input: PlanInput,
  output: RunPreview,
  async run(context, input) {
    const draft = await draftRun(context, { ...input, inputs: input.inputs as Json | undefined });
    const scope = { inputs: draft.inputs, steps: {} } as JsonObject;
    const steps = await Promise.all(
      draft.steps.map(async ({ planned, task, cortex }) => ({
        step_id: planned.id,
        node_or_composition_id: planned.asset,
        target: planned.target as unknown as JsonObject,
        request_template: (planned.step.request ?? null) as JsonObject | null,
        cortex: cortex(`${draft.runId}.${planned.id}`),
        // What cannot be rendered yet, because an input or an earlier step is missing, is null.
        rendered_request: await renderRequest(planned.id, planned.step, task, scope).then(
          (text) => JSON.parse(text) as Json,
          () => null,
        ),
      })),
    );
    return {
      run_id: draft.runId,
      workflow: draft.workflow as unknown as JsonObject,
      definition: draft.definition as unknown as JsonObject,
      ready: draft.issues.length === 0,
      issues: draft.issues,
      steps,
    };
  },
});
