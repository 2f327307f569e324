import type { Json, JsonObject } from "../../base/json.ts";

export const PORT_TYPES = ["string", "integer", "number", "boolean", "json", "path", "artifact"] as const;
export type PortType = (typeof PORT_TYPES)[number];

/** A typed input. `path` is an absolute path on the runner's host; `artifact` is `sha256:` and 64 hex digits. */
export interface Port {
  readonly type: PortType;
  readonly description?: string;
  readonly required?: boolean;
  readonly default?: Json;
  readonly enum?: readonly Json[];
  readonly minimum?: number;
  readonly maximum?: number;
  /** An ECMAScript pattern that the whole text must match. */
  readonly pattern?: string;
}

/** The API formats of `/ctx`. */
export const API_FORMATS = [
  "openai.chat",
  "openai.responses",
  "anthropic.messages",
  "google.generate_content",
] as const;

/**
 * What a step does. `api`, `tool` and `thread` are the seed's; the rest is what a workflow needs to run by itself.
 * Field names are snake_case, as everywhere in LightFlow's JSON.
 */
export type StepTarget =
  | { readonly kind: "api"; readonly format: string }
  | { readonly kind: "tool"; readonly tool_id: string }
  | { readonly kind: "thread"; readonly thread_id: string }
  | CommandTarget
  | { readonly kind: "set"; readonly value: Json }
  | { readonly kind: "assert"; readonly that: string; readonly message: string }
  | { readonly kind: "switch"; readonly cases: readonly SwitchCase[] }
  | { readonly kind: "fail"; readonly title: string; readonly detail: string; readonly status: number };

/** One program with its argument vector, run on a runner. */
export interface CommandTarget {
  readonly kind: "command";
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** `json`: the step leaves one JSON value in the file that LIGHTFLOW_OUTPUT names. `text`: its log is all. */
  readonly output: "json" | "text";
  /** `session`: the steps of a run share one workspace. */
  readonly workspace: "session" | "ephemeral";
  readonly artifacts: readonly {
    readonly path: string;
    readonly name?: string;
    readonly media_type?: string;
  }[];
  readonly mounts: readonly {
    readonly source: string;
    readonly target?: string;
    readonly read_only: boolean;
  }[];
  /** Whether a new attempt may start when the outcome of one is not known. */
  readonly repeatable: boolean;
  readonly pool?: string;
  readonly capabilities: readonly string[];
}

export interface SwitchCase {
  /** Absent in the case that is taken when no other is. */
  readonly when?: string;
  readonly then: string;
}

export type RequestTemplate =
  | { readonly kind: "openai_chat_prompt"; readonly model_alias: string; readonly input_field: string }
  | { readonly kind: "json"; readonly body: Json };

/** One step. The first four members, in this order, are the seed's shape; the others are left out when unused. */
export interface WorkflowStepDef {
  readonly step_id: string;
  /** Null for steps that need no node. */
  readonly node_or_composition_id: string | null;
  readonly target: StepTarget;
  request?: RequestTemplate;
  readonly title?: string;
  readonly if?: string;
  readonly then?: string;
  /** ISO 8601 duration. */
  readonly timeout?: string;
}

/** A workflow's definition. The first five members, in this order, are the seed's shape. */
export interface WorkflowDef {
  readonly id: string;
  /** A path below the project's `lightflow/`, or the schema itself. */
  input_schema: string | JsonObject | null;
  output_schema: string | JsonObject | null;
  required_models: string[];
  steps: WorkflowStepDef[];
  /** Typed ports; left out when there are none. */
  inputs?: Record<string, Port>;
  /** The output as a value with expressions; left out when the output is that of the last step. */
  output?: Json;
}

/** What a node, a composition or a model says of itself. Data only. */
export interface ComponentDef {
  readonly id: string;
  description?: string;
  inputs?: Record<string, Port>;
  outputs?: Record<string, Port>;
  capabilities?: string[];
}
