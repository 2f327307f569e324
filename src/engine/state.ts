import type { Json, JsonObject } from "../base/json.ts";

/** Raised when the meaning of a stored snapshot changes; a newer binary goes on from the snapshot. */
export const ENGINE_VERSION = 1;

/** DSL status phases. */
export type InstanceStatus =
  | "pending"
  | "running"
  | "waiting"
  | "suspended"
  | "cancelled"
  | "faulted"
  | "completed";

export const FINISHED: ReadonlySet<InstanceStatus> = new Set(["cancelled", "faulted", "completed"]);

/** RFC 9457 shape of the DSL's errors; `instance` is the JSON pointer of the task. */
export interface TaskError {
  type: string;
  status: number;
  instance?: string;
  title?: string;
  detail?: string;
  /** Facts about a failed command: exit code, lease, code of the error table. */
  data?: JsonObject;
}

/**
 * One activation of a task. A task is its instance, its pointer in the document, its iteration path and its visit
 * (a backward `then` or a retry enters the same pointer again).
 */
export interface Frame {
  id: number;
  parent: number;
  /** JSON pointer of the task, such as `/do/0/build`. */
  pointer: string;
  name: string;
  /** Index in each enclosing loop, outermost first. */
  iteration: number[];
  visit: number;
  raw: Json;
  input: Json;
  /** Variables of loops and catches around it. */
  locals: JsonObject;
  started_at: number;
  /** What the task's handler remembers. */
  memory: JsonObject;
  /** The effect it waits for. */
  effect?: string;
  /** The timer that ends it. */
  timeout?: string;
  /** A timer of the task's own, beside what it waits for. */
  timer?: string;
  /** Created, but left for the next commit because this advance was long. */
  deferred?: boolean;
  /** The extensions around the task, while they run. */
  around?: Around;
  /** The frame whose extension this activation is part of: `$task` is that task there. */
  extended?: number;
  /** What it is given, or has given, may be private to the tenant. */
  private?: true;
}

/** Where a task with extensions stands. */
export interface Around {
  /** Pointers of the extensions that apply, in the order of the document. */
  extensions: string[];
  phase: "before" | "task" | "after";
  /** The extension whose list runs. */
  at: number;
  /** The task's raw output and where it goes on, while what comes after it runs. */
  output?: Json;
  directive?: string;
}

/** The whole state of an instance; compact JSON in the store. */
export interface Instance {
  id: string;
  run_id: string;
  status: InstanceStatus;
  /** The workflow's input as given and as its `input.from` made it. */
  raw_input: Json;
  input: Json;
  context: Json;
  output: Json;
  error?: TaskError;
  started_at: number;
  frames: Record<string, Frame>;
  next_frame: number;
  next_effect: number;
  visits: Record<string, number>;
  /** The timer that ends the whole workflow. */
  timeout?: string;
  /** How many workflows stand above it, each running the next. */
  depth?: number;
  /** What came while it was suspended. */
  held?: Exclude<EngineInput, { kind: "suspend" | "resume" }>[];
  /** What tasks of its own list have given may be private to the tenant; so may the context, and what it was started with. */
  private?: true;
  private_context?: true;
  private_input?: true;
  /** How many events it has emitted, for their ids. */
  emitted?: number;
}

/** What the engine is told. Each is stored with its time before its effect is visible. */
export type EngineInput =
  | { kind: "start"; input: Json }
  /** `private`: the output is, whatever the task was given. */
  /** `record`: the output is a runner's record of what it executed. */
  | { kind: "effect_succeeded"; effect: string; output: Json; private?: true; record?: true }
  /** `record` is the command's record when there is one: some tasks take a non-zero exit code as a value. */
  | { kind: "effect_failed"; effect: string; error: TaskError; record?: JsonObject }
  /** A CloudEvent that a listening task may consume. */
  | { kind: "event"; effect: string; event: JsonObject }
  | { kind: "timer"; effect: string }
  | { kind: "continue"; effect: string }
  | { kind: "cancel"; reason: string }
  | { kind: "suspend"; reason: string }
  | { kind: "resume" };

/** What an event has that a listening task may consume. */
export interface ListenFilter {
  /** Its type; `""` is any. */
  type: string;
  /** The expression that gives `value` of the event, compared as `correlationOf` does; `""` where nothing is compared. */
  from: string;
  value: string;
}

/** What the engine asks for. `id` is unique in the instance and the same at every replay. */
export type Effect =
  | { kind: "run"; id: string; step_id: string; reference: string; request: RunRequest }
  | { kind: "call"; id: string; step_id: string; reference: string; request: CallEffectRequest }
  /** Events that pass one of these may be for it. */
  | { kind: "listen"; id: string; step_id: string; reference: string; filters: ListenFilter[] }
  /** A published workflow as an instance of its own. */
  | {
      kind: "workflow";
      id: string;
      namespace: string;
      name: string;
      version: string;
      input: Json;
      depth: number;
      await: boolean;
      /** Its input may be private to the tenant. */
      private?: true;
    }
  /** A question for a person. */
  | { kind: "ask"; id: string; step_id: string; reference: string; question: Question }
  /** Put an event where others listen. */
  | { kind: "emit"; id: string; event: JsonObject }
  | { kind: "timer"; id: string; due_at: number }
  | { kind: "continue"; id: string }
  | { kind: "cancel"; id: string };

/** A call of a protocol with every expression evaluated; references to secrets are still names. */
export interface CallEffectRequest {
  call: string;
  with: JsonObject;
  /** Names of secrets by the pointer in `with` where their value belongs. */
  secrets: Record<string, string>;
  /** Expressions about each message of a subscription, and the arguments that they see. */
  predicates?: { texts: Record<string, string>; variables: JsonObject };
  deferred?: DeferredArguments;
  /** What an agent is given may be private to the tenant. */
  private?: boolean;
  /** Each message of a subscription comes in as an event while the call goes on. */
  each?: boolean;
  /** `metadata.lightWorkflow` of a task that says what it does, for policy to decide on, with its expressions evaluated. */
  light?: JsonObject;
  /** Whether it may be made again when nobody knows what became of it. */
  repeatable: boolean;
  timeout_ms: number | null;
}

/** Expressions of a call's arguments that see secrets: evaluated when the call is made, and never kept. */
export interface DeferredArguments {
  /** By their pointer in `with`. */
  texts: Record<string, string>;
  /** `input.from` of the task, when it names a secret; the input of `texts` is what it gives. */
  from?: Json;
  input: Json;
  variables: JsonObject;
  /** What the document declares: all that `$secrets` holds. */
  secrets: string[];
  mode: "strict" | "loose";
}

export interface Question {
  prompt: string;
  /** Texts, or objects with `value`. */
  options: Json[] | null;
  /** JSON Schema of the answer. */
  schema: Json;
  assignment: Json;
  required: boolean;
}

/** A runner task with every expression evaluated: argv and environment, never shell text. */
export type RunRequest = {
  arguments: string[];
  environment: Record<string, string>;
  stdin?: string;
  /** `metadata.lightWorkflow` of the task with its expressions evaluated. */
  light: JsonObject;
  timeout_ms: number | null;
} & (
  | { type: "run.shell"; command: string }
  /** Without a command it runs what the image says. */
  | { type: "run.container"; image: string; command?: string }
);

/** One line of the instance's history, for observers. */
export interface Transition {
  event: string;
  step_id: string | null;
  reference: string | null;
  detail: Json;
}

export interface Advance {
  instance: Instance;
  effects: Effect[];
  transitions: Transition[];
  /** What tasks gave that ended, each at the place of its transition; the history does not keep it. */
  outputs: readonly Json[];
}
