import type { ComponentDef, StepTarget, WorkflowStepDef } from "../definition/types.ts";
import type { AssetRecord } from "../kinds.ts";
import type { View } from "./view.ts";

/** A node, composition or model that a plan may use. */
export interface Component {
  readonly record: AssetRecord;
  readonly definition: ComponentDef | undefined;
}

export type Components = ReadonlyMap<string, Component>;

/** One step of a plan: compositions are expanded, nodes have lent their behaviour. */
export interface PlannedStep {
  /** Stable: the author's id, behind those of the compositions around it: `outline.draft`. */
  readonly id: string;
  /** The composition steps around it, outermost first. */
  readonly parents: readonly string[];
  /** The node whose behaviour it is, or the composition whose result it gathers. */
  readonly asset: string | null;
  /** SHA-256 of the file that its behaviour stands in: the node's, else that of the workflow or composition. */
  readonly source: string;
  /** The file's id: what `source` is of. */
  readonly sourceId: string;
  /** As written, with the behaviour and the defaults of its node; the target's kind is never `use`. */
  readonly step: WorkflowStepDef;
  readonly target: StepTarget;
  /** Steps of the plan that must have ended before. */
  readonly needs: readonly string[];
  /** What the conditions of the step are about. */
  readonly outer: View;
  /** What its behaviour is about. */
  readonly inner: View;
  /** Conditions that hold for all of a composition, outermost first, with what they are about. */
  readonly conditions: readonly { readonly expression: string; readonly view: View }[];
  /** Of the node: its ports and how its result is made. */
  readonly node: ComponentDef | undefined;
  readonly models: readonly string[];
  readonly impure: boolean;
}

/** Why a plan cannot be made or run, at a step (or a method) of the workflow's own text. */
export interface PlanIssue {
  readonly code: "node_missing" | "model_missing" | "node_without_behaviour" | "step_unsupported" | "cycle";
  readonly step: string | null;
  readonly message: string;
  readonly hint: string;
  /** There is no document without it; other issues only keep the plan from being run. */
  readonly fatal: boolean;
}

export interface Plan {
  readonly steps: readonly PlannedStep[];
  readonly issues: readonly PlanIssue[];
  /** The flow is written out by `then` and `switch`: one step after the other. */
  readonly sequential: boolean;
  /** By a composition step's id: the first of the steps that it became. */
  readonly entries: ReadonlyMap<string, string>;
}
