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
 * and `summary`. A step that has not run is null. Ids with a dash are written `.steps["step-001"]`. In a `map` there
 * are `.item` and `.index` too, in a `while` there is `.index`.
 *
 * **Order.** A step waits for the steps that its expressions name and for its `needs`; commands that share the run's
 * workspace go one after the other; what is written behind an `assertStep` or a `failStep` waits for it. Everything else
 * runs at once. As soon as a step says `then`, or there is a `switchStep`, the steps run in the order of writing.
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
  /** The value is a list of such values. */
  readonly list?: boolean;
  readonly description?: string;
  /** Default false: a missing input is null, or its default. */
  readonly required?: boolean;
  readonly default?: Template;
  /** The only values allowed. */
  readonly enum?: readonly (string | number | boolean | null)[];
  readonly minimum?: number;
  readonly maximum?: number;
  /** Distance of two values of a slider. */
  readonly step?: number;
  /** ECMAScript pattern that the whole text must match. */
  readonly pattern?: string;
  /** How a form shows it. */
  readonly widget?: "text" | "textarea" | "number" | "slider" | "select" | "checkbox" | "color" | "file";
  /** Of an integer: a run that is given none draws one, and records it. */
  readonly seed?: boolean;
}

export type JsonSchema = { readonly [key: string]: unknown };

/** ISO 8601 duration, such as `PT5M`. */
export type Duration = string;

export type ApiFormat = "openai.chat" | "openai.responses" | "anthropic.messages" | "google.generate_content";

export interface StepOptions {
  /** For people, in progress lines. */
  readonly title?: string;
  /** The step is skipped unless this gives true. */
  readonly if?: Expression;
  /** Where the flow goes next: a step's id, `continue` (default), or `end`. Not in compositions. */
  readonly then?: string;
  /** Steps that must have ended before, beside those that its expressions name. */
  readonly needs?: readonly string[];
}

/** Of steps with an effect: how often, how long, with what. */
export interface EffortOptions extends StepOptions {
  /** The longest one attempt may take. */
  readonly timeout?: Duration;
  /** `attempts` more tries after one that failed. */
  readonly retry?: {
    readonly attempts: number;
    readonly delay?: Duration;
    readonly backoff?: "constant" | "linear" | "exponential";
  };
  /** Once for each item of the list, which expressions see as `.item` with its `.index`. The output is a list. */
  readonly map?: { readonly over: Expression; readonly concurrency?: number };
  /** Again while this holds, at most `limit` times. */
  readonly while?: { readonly that: Expression; readonly limit: number };
  /** Where it fails, the flow goes on: `.steps.<stepId>` is then `{ output: null, error: { title, detail, data, … } }`. */
  readonly tolerate?: boolean;
  /** Units of the workflow's resources that it holds while it runs. */
  readonly resources?: Readonly<Record<string, number>>;
  /** From -100 to 100; higher goes first where not all can go. */
  readonly priority?: number;
  /** Its result depends on more than its inputs, so that it is never taken from a cache. */
  readonly impure?: boolean;
}

/** A step that uses a node or a composition. */
export interface UseOptions extends EffortOptions {
  /** Values for its ports, which may hold expressions. */
  readonly inputs?: { readonly [port: string]: Template };
}

export interface ExchangeBehaviour {
  /** The request that is committed. Without it the inputs are. */
  readonly request?: Template;
}
export interface ExchangeOptions extends EffortOptions, ExchangeBehaviour {}

/** One HTTP request, made by the orchestrator under its destination policy. */
export interface HttpBehaviour {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS";
  /** An address, or an expression that gives one. */
  readonly endpoint: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: { readonly [name: string]: Template };
  readonly body?: Template;
  /** `content` (default): the body, parsed by its media type. */
  readonly output?: "content" | "raw" | "response";
  /** Whether it may be sent again when nobody knows what became of it. Default: whether the method is safe. */
  readonly repeatable?: boolean;
}
export interface HttpOptions extends EffortOptions, HttpBehaviour {}

/** The function `run` of the node's own file, in a sandbox on a runner. */
export interface CodeBehaviour {
  /** Default false: no network. A list of hosts (`api.example.com`, `*.example.com`): these alone, on record. */
  readonly network?: boolean | readonly string[];
  /** A browser as `ctx.browser`, on a runner that has an approved one; or what it may take. */
  readonly browser?: boolean | BrowserLimits;
  readonly pool?: string;
  readonly capabilities?: readonly string[];
}

export interface BrowserLimits {
  /** Pages open at once; 4 unless said. */
  readonly pages?: number;
  /** Of all files together that pages hand out; 64 MiB unless said. */
  readonly downloadBytes?: number;
  /** How long one step of a page may take; 30,000 unless said. */
  readonly timeoutMs?: number;
  /** Of a page, in CSS pixels; 1280 by 720 unless said. */
  readonly width?: number;
  readonly height?: number;
}

/**
 * What fails has a `code`: `browser_crashed` (the browser or the page ended), `browser_timeout` (the step took too long;
 * the page is closed), `browser_navigation_failed`, `browser_limit_exceeded`. One that is not caught is the step's error.
 */
export interface Browser {
  /**
   * Open a page, and wait until it is loaded. Dialogs are dismissed and popups refused, with a line in the log. Its steps may
   * be given less time than the node's.
   */
  open(url?: string, options?: { readonly timeoutMs?: number }): Promise<Page>;
}

/** A page takes its steps one after the other, in the order of the calls. */
export interface Page {
  readonly url: string;
  readonly title: string;
  /** Resolves when the page is loaded. `status` is the server's, or null for an address without one. */
  goto(url: string): Promise<{ readonly status: number | null; readonly url: string }>;
  /** An expression, or a function with JSON arguments, run in the page. A promise is awaited; the value comes as JSON. */
  evaluate<Value = unknown>(
    code: string | ((...given: never[]) => unknown),
    ...given: unknown[]
  ): Promise<Value>;
  /** The visible text of the first element, or null without one. */
  text(selector: string): Promise<string | null>;
  html(): Promise<string>;
  /** Until the page has such an element. */
  waitFor(selector: string): Promise<void>;
  /** A real click, once the element is there, at rest and not covered. */
  click(selector: string): Promise<void>;
  /** Replace what stands in a field. */
  fill(selector: string, text: string): Promise<void>;
  /** `Enter`, `Tab`, `ArrowDown`, … */
  press(key: string): Promise<void>;
  /** PNG. */
  screenshot(options?: { readonly fullPage?: boolean }): Promise<Uint8Array>;
  pdf(options?: { readonly landscape?: boolean }): Promise<Uint8Array>;
  /** The next file that the page hands out once `trigger` ran. It lies in `downloads/` of the workspace. */
  download(
    trigger: () => unknown,
  ): Promise<{ readonly url: string; readonly name: string; readonly path: string; readonly bytes: number }>;
  /** A command of the DevTools protocol, for whatever is not here. */
  cdp<Value = unknown>(method: string, parameters?: Record<string, unknown>): Promise<Value>;
  /** Hear an event of the protocol, whose domain was enabled by `cdp`. */
  on(event: string, listener: (parameters: unknown) => void): void;
  close(): Promise<void>;
}

/** What `run(input, ctx)` of a `code` node gets beside its inputs. */
export interface CodeContext {
  /** Where the file of an artifact lies that came in through an `artifact` port. */
  file(artifact: string): string;
  /** Keep a file as an artifact: its name, and bytes, text or a path. The reference goes into the output. */
  keep(name: string, content: Uint8Array | string | { readonly path: string }): Promise<string>;
  /** A directory of its own that is gone afterwards. */
  readonly temporary: string;
  /** Of a node whose `code` asks for one. */
  readonly browser: Browser;
}

export interface CommandBehaviour {
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
  /**
   * `session` (default): one workspace for the steps of a run. `ephemeral`: a fresh one for this step. Or a copy of the
   * session's, or of a directory of the host by its absolute path, that is discarded afterwards; with `commit` the
   * session takes it over when the step succeeds.
   */
  readonly workspace?: "session" | "ephemeral" | { readonly copyOnWrite: string; readonly commit?: boolean };
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
  /** Artifacts that it reads: expressions. Each lies at `$LIGHTFLOW_INPUTS/<64 hex digits>`. */
  readonly files?: readonly string[];
  /** Whether it may run again when the outcome of an attempt is not known. Default false. */
  readonly repeatable?: boolean;
  /** Runner pool. */
  readonly pool?: string;
  /** What the runner must have. */
  readonly capabilities?: readonly string[];
  /**
   * The runner signs what the artifacts were made from (SLSA provenance), and adds that as the artifact
   * `provenance.intoto.json`. `materials` are `{ uri, digest }`, the digest by algorithm.
   */
  readonly provenance?: { readonly materials?: readonly Template[] };
  /** The least isolation; without it what policy says. */
  readonly sandbox?: "workflow-session" | "per-agent-call" | "per-publish";
  /** What it runs was written by a model, such as a patch that is tried: it gets the boundary that policy wants for that. */
  readonly modelGenerated?: boolean;
  /** Default false: no network. */
  readonly network?: boolean;
}

/**
 * One of the product's own actions, done by the runner's own executable: no text of the workflow chooses a program. All but
 * `sbom` and `inspect` wait for a person's approval, and each runs in a sandbox of its own, on artifacts by their digests.
 */
export interface ActionOptions
  extends EffortOptions,
    Pick<
      CommandBehaviour,
      "environment" | "workspace" | "artifacts" | "mounts" | "files" | "repeatable" | "pool" | "capabilities"
    > {
  readonly action: "sbom" | "publish" | "inspect" | "sign" | "tag" | "branch" | "pull-request";
  /** Its parameters, which may hold expressions. */
  readonly with?: { readonly [parameter: string]: Template };
}

/** The call of a published agent (`lightflow agent publish`). Where it runs is policy's decision. The answer is the output. */
export interface AgentOptions extends EffortOptions {
  /** `name` or `name:version`; the highest version without one. */
  readonly agent: string;
  /** One of the agent's skills; all without it. */
  readonly skill?: string;
  readonly prompt?: string;
  readonly instructions?: string;
  readonly input?: Template;
  /** JSON Schema of the answer; without it the agent's own. */
  readonly outputSchema?: JsonSchema;
  /** What to do with an answer that does not fit: ask again so often (default 2), then fail or ask a person. */
  readonly onInvalidOutput?: { readonly retry?: number; readonly then?: "fail" | "ask" };
  readonly mode?: "native" | "runner" | "service";
  readonly tokenBudget?: number;
  /** Millionths of the provider's currency. */
  readonly costBudgetMicros?: number;
  readonly maximumDelegationDepth?: number;
  /** The answer of an agent whose model is `none`: tests and dry runs. */
  readonly mockOutput?: Template;
  /** What the tool `run` of an agent on a runner may run, by name: a program, or an approved template that the model fills. */
  readonly commands?: readonly (
    | { readonly name: string; readonly command: string; readonly arguments?: readonly string[] }
    | { readonly name: string; readonly template: string }
  )[];
  /** The command of those that has to succeed in the end. */
  readonly repair?: { readonly command: string; readonly attempts?: number };
  /** Of the service, with `mode: "service"`. */
  readonly endpoint?: string;
  /**
   * The error of a step that is tolerated. The agent gets a summary of it and no tools, and answers with its cause. Where policy
   * does not allow that, the output is `{ skipped: { code, reason } }`.
   */
  readonly diagnose?: Expression;
  /** Of an agent on a runner: a copy of the session's files (what it changed is the artifact `changes.patch`), or none. */
  readonly workspace?: "session" | "ephemeral";
  readonly pool?: string;
  readonly capabilities?: readonly string[];
}

/** A question to a person: `lightflow inbox list` shows it, `lightflow ask answer` answers it. The answer is the output. */
export interface AskOptions extends StepOptions {
  readonly prompt: string;
  /** What may be chosen: texts, values with a label, or an expression that gives such a list. */
  readonly options?:
    | Expression
    | readonly (
        | string
        | { readonly value: Template; readonly label?: string; readonly description?: string }
      )[];
  /** JSON Schema that the answer must match. */
  readonly schema?: JsonSchema;
  /** The role that may answer; without it whoever may run. */
  readonly role?: string;
  /** Default true: null is no answer. */
  readonly required?: boolean;
  /** How long it waits. Then `default` is the answer; without one the step fails. */
  readonly timeout?: Duration;
  readonly default?: Template;
}

export interface CommandOptions extends EffortOptions, CommandBehaviour {}

/** The methods that add steps. */
export interface StepBuilder<Self> {
  /** A model asset that must be available. */
  requiredModel(alias: string): Self;
  /** Use a node or a composition. */
  step(stepId: string, nodeOrCompositionId: string, options?: UseOptions): Self;
  /** One request to a model API through `/ctx`. */
  apiStep(stepId: string, nodeId: string, format: ApiFormat, options?: ExchangeOptions): Self;
  /** One call of a tool through `/ctx`. */
  toolStep(stepId: string, nodeId: string, toolId: string, options?: ExchangeOptions): Self;
  /** One message into a thread through `/ctx`. */
  threadStep(stepId: string, nodeId: string, threadId: string, options?: ExchangeOptions): Self;
  /** The request of the `openai.chat` step before it: one message from an input. */
  openaiChatInput(modelAlias: string, inputField: string): Self;
  /** The same for `openai.responses`. */
  openaiResponsesInput(modelAlias: string, inputField: string): Self;
  /** The same for `anthropic.messages`. */
  anthropicMessagesInput(modelAlias: string, inputField: string): Self;
  /** The same for `google.generate_content`. */
  googleGenerateContentInput(modelAlias: string, inputField: string): Self;
  /** A value computed from inputs and steps. */
  set(stepId: string, value: Expression | { readonly [key: string]: Template }, options?: StepOptions): Self;
  /** The run fails with `message` unless `that` gives true. */
  assertStep(
    stepId: string,
    claim: { readonly that: Expression; readonly message: string },
    options?: StepOptions,
  ): Self;
  /** Go where the first case that holds says; a case without `when` always holds and stands last. */
  switchStep(
    stepId: string,
    cases: readonly { readonly when?: Expression; readonly then: string }[],
    options?: StepOptions,
  ): Self;
  /** Call an agent, in the orchestrator, on a runner or as a service, as policy says. */
  agentStep(stepId: string, options: AgentOptions): Self;
  /** Ask a person, and wait for the answer. */
  askStep(stepId: string, options: AskOptions): Self;
  /** Run one program on a runner, under a lease of its own. */
  commandStep(stepId: string, options: CommandOptions): Self;
  /** Do one of the product's own actions on a runner, under a lease of its own. */
  actionStep(stepId: string, options: ActionOptions): Self;
  /** One HTTP request. */
  httpStep(stepId: string, options: HttpOptions): Self;
  /** The run fails with this error. */
  failStep(
    stepId: string,
    error: { readonly title: string; readonly detail: string; readonly status?: number },
    options?: StepOptions,
  ): Self;
}

export interface WorkflowBuilder extends StepBuilder<WorkflowBuilder> {
  /** JSON Schema of the inputs: inline, or a path below `lightflow/`. Not beside {@link input}. */
  inputSchema(schema: JsonSchema | string): WorkflowBuilder;
  /** JSON Schema of the output: inline, or a path below `lightflow/`. */
  outputSchema(schema: JsonSchema | string): WorkflowBuilder;
  /** A typed input. With typed inputs, others are refused. */
  input(name: string, port: Port): WorkflowBuilder;
  /** The output of the workflow: an object with expressions, or one expression. */
  output(value: Expression | { readonly [key: string]: Template }): WorkflowBuilder;
  /** How many units of something the steps of one run share, and the pool whose runners have it. */
  resource(name: string, options: { readonly capacity: number; readonly pool?: string }): WorkflowBuilder;
  /** The execution profile that it runs under, as an operator published it; without it the tenant's default. */
  profile(name: string): WorkflowBuilder;
  /** Of the run among others, from -100 to 100. */
  priority(priority: number): WorkflowBuilder;
  /** How many steps run at once; no limit without it. */
  concurrency(most: number): WorkflowBuilder;
  /** When it starts by itself, once it is published. */
  schedule(
    schedule:
      | { readonly every: Duration | { readonly [unit: string]: number } }
      | { readonly cron: string }
      | { readonly after: Duration | { readonly [unit: string]: number } }
      | { readonly on: { readonly [key: string]: Template } },
  ): WorkflowBuilder;
}

/** What an asset says of itself. */
export interface DescribedBuilder<Self> {
  description(text: string): Self;
  input(name: string, port: Port): Self;
  output(name: string, port: Port): Self;
  /** What it needs or offers, such as `chat`. */
  capability(name: string): Self;
}

/** A node does one thing: one of `api`, `tool`, `thread`, `command`, `http`, `code` and `value`. */
export interface NodeBuilder extends DescribedBuilder<NodeBuilder> {
  /** The outputs, by name: expressions see `.inputs` and what it did as `.output`. Without it that is the output. */
  result(value: { readonly [output: string]: Template }): NodeBuilder;
  requiredModel(alias: string): NodeBuilder;
  api(format: ApiFormat, options?: ExchangeBehaviour): NodeBuilder;
  tool(toolId: string, options?: ExchangeBehaviour): NodeBuilder;
  thread(threadId: string, options?: ExchangeBehaviour): NodeBuilder;
  command(options: CommandBehaviour): NodeBuilder;
  http(options: HttpBehaviour): NodeBuilder;
  /** The function `run(input, ctx)` that the same file exports. */
  code(options?: CodeBehaviour): NodeBuilder;
  /** Nothing but expressions. */
  value(value: Expression | { readonly [output: string]: Template }): NodeBuilder;
  timeout(timeout: Duration): NodeBuilder;
  retry(retry: NonNullable<EffortOptions["retry"]>): NodeBuilder;
  resources(units: Readonly<Record<string, number>>): NodeBuilder;
  /** Never taken from a cache. */
  impure(): NodeBuilder;
}

/** Steps with a typed contract, put in the place of each step that uses it. */
export interface CompositionBuilder
  extends DescribedBuilder<CompositionBuilder>,
    StepBuilder<CompositionBuilder> {
  /** The outputs, by name, with expressions over its own inputs and steps. */
  result(value: { readonly [output: string]: Template }): CompositionBuilder;
}

/** A part that models can play, and who can. Weights are no part of it: files are fetched into the model cache. */
export interface ModelBuilder extends DescribedBuilder<ModelBuilder> {
  /** A model as its provider calls it; the best first. */
  candidate(candidate: {
    readonly model: string;
    readonly provider?: string;
    readonly format?: ApiFormat;
  }): ModelBuilder;
  /** A file of it, from an address or a path below the project. */
  file(file: {
    readonly name: string;
    readonly from: string;
    readonly sha256: string;
    readonly size?: number;
  }): ModelBuilder;
  /** SPDX id, or a name. */
  licence(licence: string): ModelBuilder;
  homepage(address: string): ModelBuilder;
}

/** `lightflow/presets/<name>.ts`: `export const PRESET = { … } as const satisfies Preset`. */
export interface Preset {
  readonly workflow: string;
  readonly description?: string;
  readonly inputs: { readonly [name: string]: Template };
}

/** Start a workflow's definition; `id` must be `META.id`. */
export declare function workflow(id: string): WorkflowBuilder;
/** Start a node's definition. */
export declare function node(id: string): NodeBuilder;
/** Start a composition's definition. */
export declare function composition(id: string): CompositionBuilder;
/** Start a model's definition. */
export declare function model(id: string): ModelBuilder;
