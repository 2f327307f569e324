import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import type { RequestTarget } from "../../cortex/index.ts";
import { AnyJson, AnyObject, closed, Integer, named, nullable, oneOf, Text } from "../shapes.ts";

/** A run id as a path segment, checked with the words of the first interface. */
export const RunSegment = Type.String({ maxLength: 1024 });

export function checkRunId(id: string): string {
  if (!/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}$/.test(id)) {
    throw fail("invalid_request", `invalid run id path segment: ${id}`, {
      hint: "letters, digits, dots, dashes and underscores, at most 128",
    });
  }
  return id;
}

const Place = nullable(Text);

/** The files of one request. Seed section "CortexFS", in the seed's order. */
export const CortexExchange = named(
  "CortexExchange",
  closed({
    target: AnyObject,
    request_id: Text,
    inbox_dir: Text,
    outbox_dir: Text,
    staged_request: Text,
    commit_request: Text,
    response: Text,
    error: Text,
    fingerprint: Text,
    route_metadata: Place,
  }),
);

const StepStatus = oneOf("planned", "submitted", "cancelled", "succeeded", "failed");

export const RunStepRecord = named(
  "RunStepRecord",
  closed({
    step_id: Text,
    node_or_composition_id: Place,
    cortex: CortexExchange,
    status: StepStatus,
    submitted_request_path: Place,
    response_path: Place,
    error_path: Place,
    provider_id: Place,
    model_id: Place,
    route_decision: Place,
    fingerprint: Place,
    audit_correlation: Place,
    output_artifacts: Type.Array(Text),
  }),
);

export const RunManifest = named(
  "RunManifest",
  closed({
    run_id: Text,
    workflow_asset_id: Text,
    cancelled: Type.Boolean(),
    steps: Type.Array(RunStepRecord),
  }),
);

export const CreateRunRequest = named(
  "CreateRunRequest",
  closed({ run_id: Place, workflow_asset_id: Text, inputs: AnyJson }),
);

export const RunStatusSummary = named(
  "RunStatusSummary",
  closed({
    run_id: Text,
    workflow_asset_id: Text,
    status: oneOf("planned", "running", "cancelled", "succeeded", "failed"),
    total_steps: Integer,
    planned_steps: Integer,
    submitted_steps: Integer,
    cancelled_steps: Integer,
    succeeded_steps: Integer,
    failed_steps: Integer,
  }),
);

export const RunPreview = named(
  "RunPreview",
  closed({
    run_id: Text,
    workflow: AnyObject,
    definition: AnyObject,
    ready: Type.Boolean(),
    issues: Type.Array(Text),
    steps: Type.Array(
      closed({
        step_id: Text,
        node_or_composition_id: Place,
        target: AnyObject,
        request_template: nullable(AnyObject),
        cortex: nullable(CortexExchange),
        rendered_request: AnyJson,
      }),
    ),
  }),
);

export const PlanInput = closed({
  workflow_asset_id: Type.String({ minLength: 1, maxLength: 256 }),
  run_id: Type.Optional(nullable(RunSegment)),
  inputs: Type.Optional(Type.Unknown()),
});

export interface StepRecord {
  step_id: string;
  node_or_composition_id: string | null;
  cortex: RequestTarget;
  status: "planned" | "submitted" | "cancelled" | "succeeded" | "failed";
  submitted_request_path: string | null;
  response_path: string | null;
  error_path: string | null;
  provider_id: string | null;
  model_id: string | null;
  route_decision: string | null;
  fingerprint: string | null;
  audit_correlation: string | null;
  output_artifacts: string[];
}

export interface Manifest {
  run_id: string;
  workflow_asset_id: string;
  cancelled: boolean;
  steps: StepRecord[];
}

export interface CreateRun {
  run_id: string | null;
  workflow_asset_id: string;
  inputs: Json;
}

/** The members of a record that are kept; the status is a column of its own. */
export function newRecord(
  stepId: string,
  node: string | null,
  cortex: RequestTarget,
  submitted: string | null = null,
): JsonObject {
  return {
    step_id: stepId,
    node_or_composition_id: node,
    cortex: cortex as unknown as JsonObject,
    submitted_request_path: submitted,
    response_path: null,
    error_path: null,
    provider_id: null,
    model_id: null,
    route_decision: null,
    fingerprint: null,
    audit_correlation: submitted === null ? null : cortex.request_id,
    output_artifacts: [],
  };
}
