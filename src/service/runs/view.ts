import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import type { InstanceRow, Plan } from "../../store/index.ts";
import { manifestOf } from "../plans/manifest.ts";
import { RunStepRecord, type StepRecord } from "../plans/shapes.ts";
import { AnyJson, AnyObject, closed, Integer, named, nullable, oneOf, RunId, Text, Time } from "../shapes.ts";

export type RunStatus = "planned" | "running" | "succeeded" | "failed" | "cancelled";

/** The words of LightFlow's JSON for the phases of the workflow document. */
const STATUS: Record<string, RunStatus> = {
  pending: "planned",
  running: "running",
  waiting: "running",
  suspended: "running",
  completed: "succeeded",
  faulted: "failed",
  cancelled: "cancelled",
};

/** The phases that one word stands for. */
export const phasesOf = (status: RunStatus): string[] =>
  Object.keys(STATUS).filter((phase) => STATUS[phase] === status);

export const Run = named(
  "Run",
  closed({
    run_id: RunId,
    workflow_asset_id: Text,
    cancelled: Type.Boolean(),
    /** Of a run that is taken step by step: with the members before it the run's manifest. */
    steps: Type.Optional(Type.Array(RunStepRecord)),
    instance_id: Text,
    status: oneOf("planned", "running", "succeeded", "failed", "cancelled"),
    phase: Text,
    inputs: AnyJson,
    output: AnyJson,
    error: nullable(AnyObject),
    definition_digest: Text,
    policy_digest: Text,
    created_at: Time,
    updated_at: Time,
    finished_at: nullable(Time),
    duration_ms: Integer,
  }),
);

export interface RunView {
  run_id: string;
  workflow_asset_id: string;
  cancelled: boolean;
  steps?: StepRecord[];
  instance_id: string;
  status: RunStatus;
  phase: string;
  inputs: Json;
  output: Json;
  error: JsonObject | null;
  definition_digest: string;
  policy_digest: string;
  created_at: string;
  updated_at: string;
  finished_at: string | null;
  duration_ms: number;
}

export const isFinished = (status: RunStatus): boolean =>
  status === "succeeded" || status === "failed" || status === "cancelled";

export function runView(row: InstanceRow, plan: Plan | null = null): RunView {
  const snapshot = JSON.parse(row.snapshot) as { raw_input: Json; output: Json; error?: JsonObject };
  return {
    run_id: row.run_id,
    workflow_asset_id: row.workflow,
    cancelled: row.status === "cancelled",
    ...(plan === null ? {} : manifestOf(plan)),
    instance_id: row.id,
    status: STATUS[row.status]!,
    phase: row.status,
    inputs: snapshot.raw_input,
    output: snapshot.output,
    error: snapshot.error ?? null,
    definition_digest: row.definition_digest,
    policy_digest: row.policy_digest,
    created_at: isoTime(row.created_at),
    updated_at: isoTime(row.updated_at),
    finished_at: row.finished_at === null ? null : isoTime(row.finished_at),
    // A clock that was set back between the two makes no time negative.
    duration_ms: Math.max(0, (row.finished_at ?? row.updated_at) - row.created_at),
  };
}
