import type { Json, JsonObject } from "../../base/json.ts";
import type { BrowserRequest } from "../../workflow/schema/light-workflow.ts";

export const PORT_TYPES = ["string", "integer", "number", "boolean", "json", "path", "artifact"] as const;
export type PortType = (typeof PORT_TYPES)[number];

/** How a form shows a port; a hint, never a rule. */
export const WIDGETS = [
  "text",
  "textarea",
  "number",
  "slider",
  "select",
  "checkbox",
  "color",
  "file",
] as const;

/** A typed input or output. `path` is an absolute path on the runner's host; `artifact` is `sha256:` and 64 hex digits. */
export interface Port {
  readonly type: PortType;
  /** The value is a list of such values. */
  readonly list?: boolean;
  readonly description?: string;
  readonly required?: boolean;
  readonly default?: Json;
  readonly enum?: readonly Json[];
  readonly minimum?: number;
  readonly maximum?: number;
  /** Distance of two values of a slider. */
  readonly step?: number;
  /** An ECMAScript pattern that the whole text must match. */
  readonly pattern?: string;
  readonly widget?: (typeof WIDGETS)[number];
  /** A run that is given no value draws one, and records it. Integers only. */
  readonly seed?: boolean;
}

/** The API formats of `/ctx`. */
export const API_FORMATS = [
  "openai.chat",
  "openai.responses",
  "anthropic.messages",
  "google.generate_content",
] as const;
export type ApiFormat = (typeof API_FORMATS)[number];

/**
 * What a step does. `api`, `tool` and `thread` are the seed's; the rest is what a workflow needs to run by itself.
 * Field names are snake_case, as everywhere in LightFlow's JSON.
 */
export type StepTarget =
  | { readonly kind: "api"; readonly format: string }
  | { readonly kind: "tool"; readonly tool_id: string }
  | { readonly kind: "thread"; readonly thread_id: string }
  | CommandTarget
  | HttpTarget
  | CodeTarget
  /** The behaviour is that of the node or composition that the step names. */
  | { readonly kind: "use" }
  | { readonly kind: "set"; readonly value: Json }
  | AskTarget
  | AgentTarget
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
  readonly workspace:
    | "session"
    | "ephemeral"
    | { readonly copyOnWrite: string; readonly commit?: boolean | undefined };
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
  /** Artifacts that the step reads: expressions that give `sha256:…` or a list of them. */
  readonly files?: readonly string[];
  /** Whether a new attempt may start when the outcome of one is not known. */
  readonly repeatable: boolean;
  readonly pool?: string;
  readonly capabilities: readonly string[];
  /** The artifacts come with a provenance that the runner signs. */
  readonly provenance?: { readonly materials?: readonly Json[] };
  /** The least isolation; without it what policy says. */
  readonly sandbox?: string;
  /** What it runs was written by a model: policy wants a boundary of its own for that. */
  readonly model_generated?: boolean;
  /** Whether it asks for the network. */
  readonly network?: boolean;
  /** One of the product's own actions in the place of a program. */
  readonly action?: { readonly name: string; readonly with: JsonObject };
}

/** The call of a published agent. */
export interface AgentTarget {
  readonly kind: "agent";
  /** What the agent is given, as the task of the language says it. */
  readonly with: JsonObject;
  readonly workspace?: "session" | "ephemeral";
  readonly pool?: string;
  readonly capabilities: readonly string[];
}

/** A question to a person. The answer is the output. */
export interface AskTarget {
  readonly kind: "ask";
  readonly prompt: string;
  /** A list, or an expression that gives one. */
  readonly options?: Json;
  /** JSON Schema of the answer. */
  readonly schema?: JsonObject;
  /** Who may answer; without it whoever may run. */
  readonly role?: string;
  /** Whether null is no answer. */
  readonly required: boolean;
  /** ISO 8601 duration after which `default` is the answer, or the step fails without one. */
  readonly timeout?: string;
  readonly default?: Json;
}

/** One HTTP request, made by the orchestrator under its destination policy. */
export interface HttpTarget {
  readonly kind: "http";
  readonly method: string;
  readonly endpoint: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, Json>>;
  readonly body?: Json;
  /** What of the response is the output. */
  readonly output: "content" | "raw" | "response";
  readonly repeatable: boolean;
}

/** The function `run(input, ctx)` that the node's own file exports, in a sandboxed child on a runner. */
export interface CodeTarget {
  readonly kind: "code";
  /** A list: these hosts alone. */
  readonly network: boolean | readonly string[];
  /** What its browser may take, where it has one. */
  readonly browser?: BrowserRequest;
  readonly pool?: string;
  readonly capabilities: readonly string[];
}

export interface SwitchCase {
  /** Absent in the case that is taken when no other is. */
  readonly when?: string;
  readonly then: string;
}

/** The prompt template of each API format, by the format. */
export const PROMPT_TEMPLATES = {
  "openai.chat": "openai_chat_prompt",
  "openai.responses": "openai_responses_prompt",
  "anthropic.messages": "anthropic_messages_prompt",
  "google.generate_content": "google_generate_content_prompt",
} as const satisfies Record<ApiFormat, string>;

/** `*_prompt`: one input field as one user message. */
export type RequestTemplate =
  | {
      readonly kind: (typeof PROMPT_TEMPLATES)[ApiFormat];
      readonly model_alias: string;
      readonly input_field: string;
    }
  | { readonly kind: "json"; readonly body: Json };

/** How often a step is tried again, and when. The first try does not count. */
export interface Retry {
  readonly attempts: number;
  /** ISO 8601 duration; none is no pause. */
  readonly delay?: string;
  readonly backoff?: "constant" | "linear" | "exponential";
}

/** One step. The first four members, in this order, are the seed's shape; the others are left out when unused. */
export interface WorkflowStepDef {
  readonly step_id: string;
  /** Null for steps that need no node. */
  readonly node_or_composition_id: string | null;
  readonly target: StepTarget;
  request?: RequestTemplate;
  readonly title?: string;
  /** What the ports of the node or composition are given: values with expressions. */
  readonly inputs?: JsonObject;
  /** Steps that must have ended before, beside those that its expressions name. */
  readonly needs?: readonly string[];
  readonly if?: string;
  readonly then?: string;
  /** ISO 8601 duration of one attempt. */
  readonly timeout?: string;
  readonly retry?: Retry;
  /** Once for each item of a list; expressions see `.item` and `.index`. */
  readonly map?: { readonly over: string; readonly concurrency?: number };
  /** Again while this holds, at most `limit` times; expressions see `.index`. */
  readonly while?: { readonly that: string; readonly limit: number };
  /** Where it fails, the flow goes on, and its entry holds the error. */
  readonly tolerate?: boolean;
  /** Units of the workflow's resources that it holds while it runs. */
  readonly resources?: Readonly<Record<string, number>>;
  /** Higher goes first where not all can go. */
  readonly priority?: number;
  /** Its result depends on more than its inputs, so that it is never taken from a cache. */
  readonly impure?: boolean;
}

/** How much of a thing there is for the steps of one run, and the pool whose runners have it. */
export interface Resource {
  readonly capacity: number;
  readonly pool?: string;
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
  resources?: Record<string, Resource>;
  /** The execution profile that it runs under; without it the tenant's default. */
  profile?: string;
  /** Of the run among others, for the queue of the runners. */
  priority?: number;
  /** How many steps run at once. */
  concurrency?: number;
  /** `schedule` of the workflow document. */
  schedule?: JsonObject;
}

/** A model that can play the part of a model asset, best first. */
export interface ModelCandidate {
  /** As the provider calls it. */
  readonly model: string;
  readonly provider?: string;
  /** Only for requests of this format. */
  readonly format?: string;
}

/** A file of a model's weights. */
export interface ModelFile {
  /** File name below the model's directory in the cache. */
  readonly name: string;
  /** `https://…`, or a path below the project. */
  readonly from: string;
  readonly sha256: string;
  readonly size?: number;
}

/** What a node, a composition or a model is. */
export interface ComponentDef {
  readonly id: string;
  description?: string;
  inputs?: Record<string, Port>;
  outputs?: Record<string, Port>;
  capabilities?: string[];
  /** A node: what it does. */
  behaviour?: { readonly target: StepTarget; readonly request?: RequestTemplate };
  /** A node or composition: its outputs as a value with expressions. */
  result?: JsonObject;
  /** A node: its defaults for every step that uses it. */
  timeout?: string;
  retry?: Retry;
  resources?: Readonly<Record<string, number>>;
  impure?: boolean;
  /** A node or composition. */
  required_models?: string[];
  /** A composition. */
  steps?: WorkflowStepDef[];
  /** A model. */
  candidates?: ModelCandidate[];
  files?: ModelFile[];
  licence?: string;
  homepage?: string;
}
