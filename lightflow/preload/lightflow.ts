/**
 * The words that asset files are written in, for editors and type checkers. Nothing here runs: an asset is read by
 * a parser, so `define()` may only return a chain of these methods with literal arguments. Each method may also be
 * written in snake_case.
 *
 * **Literals** are strings (in quotes, in backticks without substitutions, or `String.raw`), numbers, booleans,
 * null, arrays, objects, `META.id`, and names of constants of the same file with such a value.
 *
 * **Expressions** are jq in a string that is `"${ … }"` as a whole. Inside, `.` is
 *
 * ```
 * { "inputs": { "<name>": … },
 *   "steps":  { "<stepId>": { "output": … } } }
 * ```
 *
 * so `"${ .inputs.repository }"` is an input and `"${ .steps.inventory.output.files }"` a value that the step
 * `inventory` gave. A command's entry also has `exitCode`, `artifacts` (`[{name, sha256, size, mediaType, uri}]`)
 * and `summary`. A step that has not run is null. Ids with a dash are written `.steps["step-001"]`.
 */

/** A string that is one `${ … }` as a whole: jq over `{inputs, steps}`. */
export type Expression = string;

/** JSON whose strings may be expressions. */
export type Template =
  | null
  | boolean
  | number
  | string
  | readonly Template[]
  | { readonly [key: string]: Template };

/** What `META` must say. */
export interface AssetMeta {
  /** Parts of letters, digits, `_` and `-`, joined by dots; unique in the project. */
  readonly id: string;
  readonly title: string;
  readonly kind: "model" | "node" | "composition" | "workflow";
  readonly description: string;
  readonly stability: "draft" | "experimental" | "stable";
  /** Semantic version of the document that a workflow becomes. Default `0.1.0`. */
  readonly version?: string;
}

/** A typed input or output. */
export interface Port {
  /** `path`: a path on the runner's host, made absolute at the start. `artifact`: `sha256:` and 64 hex digits. */
  readonly type: "string" | "integer" | "number" | "boolean" | "json" | "path" | "artifact";
  readonly description?: string;
  /** Default false: a missing input is null, or its default. */
  readonly required?: boolean;
  readonly default?: Template;
  /** The only values allowed. */
  readonly enum?: readonly (string | number | boolean | null)[];
  readonly minimum?: number;
  readonly maximum?: number;
  /** ECMAScript pattern that the whole text must match. */
  readonly pattern?: string;
}

export type JsonSchema = { readonly [key: string]: unknown };

export interface StepOptions {
  /** For people, in progress lines. */
  readonly title?: string;
  /** The step is skipped unless this gives true. */
  readonly if?: Expression;
  /** Where the flow goes next: a step's id, `continue` (default), or `end`. */
  readonly then?: string;
}

export interface ExchangeOptions extends StepOptions {
  /** ISO 8601 duration, such as `PT5M`. */
  readonly timeout?: string;
  /** The request that is committed. Without it the workflow's inputs are. */
  readonly request?: Template;
}

export interface CommandOptions extends StepOptions {
  /** The program: a name in PATH or an absolute path. A literal, never an expression. */
  readonly command: string;
  /**
   * Its arguments. No shell reads them: an expression's value arrives as one argument, whatever is in it. A script
   * is literal text: `command: "sh", arguments: ["-c", SCRIPT, "sh", "${ .inputs.name }"]` gives it `$1`.
   */
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /**
   * `json`: the step writes one JSON value into the file named by the variable LIGHTFLOW_OUTPUT; it becomes
   * `.steps.<stepId>.output`. `text` (default): its log is all it leaves. Standard output is never parsed.
   */
  readonly output?: "json" | "text";
  /** `session` (default): one workspace for the steps of a run. `ephemeral`: a fresh one for this step. */
  readonly workspace?: "session" | "ephemeral";
  /** Files of the workspace to keep: paths relative to it, with `*` and `**`. */
  readonly artifacts?: readonly {
    readonly path: string;
    readonly name?: string;
    readonly mediaType?: string;
  }[];
  /** Paths of the host that the sandbox shows. `target` defaults to `source`, `readOnly` to true. */
  readonly mounts?: readonly {
    readonly source: string;
    readonly target?: string;
    readonly readOnly?: boolean;
  }[];
  /** ISO 8601 duration, such as `PT5M`. */
  readonly timeout?: string;
  /** Whether it may run again when the outcome of an attempt is not known. Default false. */
  readonly repeatable?: boolean;
  /** Runner pool. */
  readonly pool?: string;
  /** What the runner must have. */
  readonly capabilities?: readonly string[];
}

export interface WorkflowBuilder {
  /** JSON Schema of the inputs: inline, or a path below `lightflow/`. Not beside {@link input}. */
  inputSchema(schema: JsonSchema | string): WorkflowBuilder;
  /** JSON Schema of the output: inline, or a path below `lightflow/`. */
  outputSchema(schema: JsonSchema | string): WorkflowBuilder;
  /** A model asset that must be available. */
  requiredModel(alias: string): WorkflowBuilder;
  /** One request to a model API through `/ctx`. */
  apiStep(
    stepId: string,
    nodeId: string,
    format: "openai.chat" | "openai.responses" | "anthropic.messages" | "google.generate_content",
    options?: ExchangeOptions,
  ): WorkflowBuilder;
  /** One call of a tool through `/ctx`. */
  toolStep(stepId: string, nodeId: string, toolId: string, options?: ExchangeOptions): WorkflowBuilder;
  /** One message into a thread through `/ctx`. */
  threadStep(stepId: string, nodeId: string, threadId: string, options?: ExchangeOptions): WorkflowBuilder;
  /** The request of the API step before it: one chat message from an input. */
  openaiChatInput(modelAlias: string, inputField: string): WorkflowBuilder;
  /** A typed input. With typed inputs, others are refused. */
  input(name: string, port: Port): WorkflowBuilder;
  /** The output of the workflow: an object with expressions, or one expression. */
  output(value: Expression | { readonly [key: string]: Template }): WorkflowBuilder;
  /** A value computed from inputs and steps. */
  set(
    stepId: string,
    value: Expression | { readonly [key: string]: Template },
    options?: StepOptions,
  ): WorkflowBuilder;
  /** The run fails with `message` unless `that` gives true. */
  assertStep(
    stepId: string,
    claim: { readonly that: Expression; readonly message: string },
    options?: StepOptions,
  ): WorkflowBuilder;
  /** Go where the first case that holds says; a case without `when` always holds and stands last. */
  switchStep(
    stepId: string,
    cases: readonly { readonly when?: Expression; readonly then: string }[],
    options?: StepOptions,
  ): WorkflowBuilder;
  /** Run one program on a runner, under a lease of its own. */
  commandStep(stepId: string, options: CommandOptions): WorkflowBuilder;
  /** The run fails with this error. */
  failStep(
    stepId: string,
    error: { readonly title: string; readonly detail: string; readonly status?: number },
    options?: StepOptions,
  ): WorkflowBuilder;
}

/** What a node, a composition or a model says of itself. */
export interface ComponentBuilder {
  description(text: string): ComponentBuilder;
  input(name: string, port: Port): ComponentBuilder;
  output(name: string, port: Port): ComponentBuilder;
  /** What it needs or offers, such as `chat`. */
  capability(name: string): ComponentBuilder;
}

/** Start a workflow's definition; `id` must be `META.id`. */
export declare function workflow(id: string): WorkflowBuilder;
/** Start a node's definition. */
export declare function node(id: string): ComponentBuilder;
/** Start a composition's definition. */
export declare function composition(id: string): ComponentBuilder;
/** Start a model's definition. */
export declare function model(id: string): ComponentBuilder;
