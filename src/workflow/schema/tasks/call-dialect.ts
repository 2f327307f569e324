import { type Static, Type } from "@sinclair/typebox";
import { anyValue, closed, freeMap, NO_EXPRESSION, wordOf } from "../build.ts";
import { Endpoint, SchemaDefinition } from "../common.ts";
import { taskBase } from "./base.ts";

const Name = Type.String({ minLength: 1, maxLength: 256 });

const budgets = {
  tokenBudget: Type.Optional(Type.Integer({ minimum: 1 })),
  /** Millionths of the provider's currency. */
  costBudgetMicros: Type.Optional(Type.Integer({ minimum: 0 })),
  maximumDelegationDepth: Type.Optional(Type.Integer({ minimum: 0 })),
};

const request = {
  /** The published agent: `name` or `name:version`. */
  agent: Name,
  skill: Type.Optional(Name),
  input: Type.Optional(anyValue()),
  prompt: Type.Optional(Type.String()),
  instructions: Type.Optional(Type.String()),
  outputSchema: Type.Optional(SchemaDefinition),
  /** The answer to use where no model is called: tests and dry runs. */
  mockOutput: Type.Optional(anyValue(NO_EXPRESSION)),
  onInvalidOutput: Type.Optional(
    closed({
      retry: Type.Optional(Type.Integer({ minimum: 0, maximum: 10 })),
      then: Type.Optional(wordOf("fail", "ask")),
    }),
  ),
  ...budgets,
};

export const AgentArguments = closed(
  {
    ...request,
    /** Default `native`. Where a native call runs is policy's decision; `service` never happens by itself. */
    mode: Type.Optional(wordOf("native", "runner", "service")),
    /** What the tool `run` of an agent on a runner may run, by name: a program, or an approved template with values of the model's. */
    commands: Type.Optional(
      Type.Array(
        Type.Union([
          closed({
            name: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" }),
            command: Type.String({ minLength: 1, maxLength: 4096, pattern: "^[^$]*$" }),
            arguments: Type.Optional(Type.Array(Type.String({ maxLength: 131_072 }), { maxItems: 256 })),
          }),
          closed({
            name: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" }),
            template: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" }),
          }),
        ]),
        { maxItems: 64 },
      ),
    ),
    /** The error of a step that failed: the agent gets a summary of it, no tools, and says what is wrong. */
    diagnose: Type.Optional(anyValue()),
    /** The command of those that has to succeed in the end: the step that failed. */
    repair: Type.Optional(
      closed({
        command: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" }),
        attempts: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
      }),
    ),
    /** Of the service, with `mode: service`. */
    endpoint: Type.Optional(Endpoint),
  },
  { $id: "AgentArguments" },
);
export type AgentArguments = Static<typeof AgentArguments>;

export const CallAgentTask = closed(
  { call: Type.Literal("agent"), with: AgentArguments, ...taskBase },
  { $id: "CallAgentTask" },
);
export type CallAgentTask = Static<typeof CallAgentTask>;

export const AgentServiceArguments = closed(
  {
    ...request,
    /** Without it, the agent's own published address. */
    endpoint: Type.Optional(Endpoint),
    /** Conversation to go on with. */
    session: Type.Optional(Type.String()),
  },
  { $id: "AgentServiceArguments" },
);
export type AgentServiceArguments = Static<typeof AgentServiceArguments>;

export const CallAgentServiceTask = closed(
  { call: Type.Literal("agent-service"), with: AgentServiceArguments, ...taskBase },
  { $id: "CallAgentServiceTask" },
);
export type CallAgentServiceTask = Static<typeof CallAgentServiceTask>;

export const CortexArguments = closed(
  {
    target: Type.Union([
      closed({ kind: Type.Literal("api"), format: Name }),
      closed({ kind: Type.Literal("tool"), tool: Name }),
      closed({ kind: Type.Literal("thread"), thread: Name }),
    ]),
    /** The request document that is put into the target's inbox. May hold expressions. */
    body: anyValue(),
    /** Idempotency key of the exchange; without it the task's own identity. */
    requestId: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  },
  { $id: "CortexArguments" },
);
export type CortexArguments = Static<typeof CortexArguments>;

/** Dialect: one exchange through `/ctx`. */
export const CallCortexTask = closed(
  { call: Type.Literal("cortex"), with: CortexArguments, ...taskBase },
  { $id: "CallCortexTask" },
);
export type CallCortexTask = Static<typeof CallCortexTask>;

const functionTask = (reserved: readonly string[]) =>
  closed(
    {
      call: Type.String({
        pattern: `^(?!(?:${reserved.join("|")})$)`,
        description: "the name of a function in use.functions, its URL, or name:version@catalog",
      }),
      with: Type.Optional(freeMap()),
      ...taskBase,
    },
    { $id: "CallFunctionTask" },
  );

/** The protocols of the specification. */
export const PROTOCOL_CALLS = ["asyncapi", "grpc", "http", "openapi", "a2a", "mcp"] as const;
/** What the dialect adds. */
export const DIALECT_CALLS = ["agent", "agent-service", "cortex"] as const;

/** In strict mode the dialect's three names are ordinary function names. */
export const StrictCallFunctionTask = functionTask(PROTOCOL_CALLS);
export const CallFunctionTask = functionTask([...PROTOCOL_CALLS, ...DIALECT_CALLS]);
export type CallFunctionTask = Static<typeof CallFunctionTask>;
