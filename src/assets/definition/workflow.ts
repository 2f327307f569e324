import type { TSchema } from "@sinclair/typebox";
import type { Json, JsonObject } from "../../base/json.ts";
import type { Method, Methods, Refuse } from "./methods.ts";
import {
  Anything,
  ApiFormat,
  AssertOptions,
  CommandOptions,
  ExchangeOptions,
  FailOptions,
  SchemaOrPath,
  StepId,
  StepOptions,
  SwitchCases,
  Words,
} from "./options.ts";
import { portMethod } from "./ports.ts";
import type { StepTarget, WorkflowDef, WorkflowStepDef } from "./types.ts";

/** More steps than a document of the largest size holds. */
const MAXIMUM_STEPS = 2000;

/** Words with a meaning of their own where a step's id may stand. */
const DIRECTIVES = new Set(["continue", "exit", "end"]);

function addStep(
  definition: WorkflowDef,
  refuse: Refuse,
  id: string,
  node: string | null,
  target: StepTarget,
  options: ExchangeOptions = {},
): void {
  if (DIRECTIVES.has(id)) {
    refuse(0, [], "value_invalid", `${id} is a flow directive, not a step id`, "name the step otherwise");
  }
  if (id.endsWith(".resp.json") || id.endsWith(".error")) {
    refuse(
      0,
      [],
      "value_invalid",
      `invalid step_id path segment: ${id}`,
      "do not end it in .resp.json or .error",
    );
  }
  if (definition.steps.length >= MAXIMUM_STEPS) {
    refuse(
      0,
      [],
      "value_invalid",
      `a workflow has more than ${MAXIMUM_STEPS} steps`,
      "split it into workflows",
    );
  }
  if (definition.steps.some((step) => step.step_id === id)) {
    refuse(0, [], "step_duplicate", `the step ${id} stands twice`, "give each step an id of its own");
  }
  const { title, timeout, request } = options;
  const step: WorkflowStepDef = {
    step_id: id,
    node_or_composition_id: node,
    target,
    ...(request === undefined ? {} : { request: { kind: "json" as const, body: request as Json } }),
    ...(title === undefined ? {} : { title }),
    ...(options.if === undefined ? {} : { if: options.if }),
    ...(options.then === undefined ? {} : { then: options.then }),
    ...(timeout === undefined ? {} : { timeout }),
  };
  definition.steps.push(step);
}

function exchange(
  usage: string,
  target: (name: string) => StepTarget,
  name: TSchema = Words,
): Method<WorkflowDef> {
  return {
    usage,
    required: [StepId, Words, name],
    optional: [ExchangeOptions],
    apply(definition, [id, node, third, options], refuse) {
      addStep(
        definition,
        refuse,
        id as string,
        node as string,
        target(third as string),
        options as ExchangeOptions,
      );
    },
  };
}

/** The seed's path segment rule for tool and thread ids. */
function segment(refuse: Refuse, what: string, value: string): string {
  if (/^\.{1,2}$|[/\0]|(\.resp\.json|\.error)$/.test(value)) {
    refuse(2, [], "value_invalid", `invalid ${what} path segment: ${value}`, "write one path segment");
  }
  return value;
}

const seedExchange = (
  usage: string,
  what: "tool_id" | "thread_id",
  kind: "tool" | "thread",
): Method<WorkflowDef> => ({
  ...exchange(usage, (name) => ({ kind, [what]: name }) as unknown as StepTarget),
  apply(definition, [id, node, third, options], refuse) {
    const target = { kind, [what]: segment(refuse, what, third as string) } as unknown as StepTarget;
    addStep(definition, refuse, id as string, node as string, target, options as ExchangeOptions);
  },
});

/** The methods of `workflow(id)`. The first seven are the seed's. */
export const WORKFLOW_METHODS: Methods<WorkflowDef> = {
  inputSchema: {
    usage: "(schema or path)",
    required: [SchemaOrPath],
    optional: [],
    apply(definition, [schema]) {
      definition.input_schema = schema as string | JsonObject;
    },
  },
  outputSchema: {
    usage: "(schema or path)",
    required: [SchemaOrPath],
    optional: [],
    apply(definition, [schema]) {
      definition.output_schema = schema as string | JsonObject;
    },
  },
  requiredModel: {
    usage: "(alias)",
    required: [Words],
    optional: [],
    apply(definition, [alias]) {
      definition.required_models.push(alias as string);
    },
  },
  apiStep: exchange("(stepId, nodeId, format, options?)", (format) => ({ kind: "api", format }), ApiFormat),
  toolStep: seedExchange("(stepId, nodeId, toolId, options?)", "tool_id", "tool"),
  threadStep: seedExchange("(stepId, nodeId, threadId, options?)", "thread_id", "thread"),
  openaiChatInput: {
    usage: "(modelAlias, inputField)",
    required: [Words, Words],
    optional: [],
    apply(definition, [alias, field], refuse) {
      const step = definition.steps.at(-1);
      if (step?.target.kind !== "api") {
        return refuse(
          0,
          [],
          "value_invalid",
          "there is no API step before it",
          "call it right behind apiStep",
        );
      }
      step.request = {
        kind: "openai_chat_prompt",
        model_alias: alias as string,
        input_field: field as string,
      };
    },
  },
  input: portMethod((definition) => {
    definition.inputs ??= {};
    return definition.inputs;
  }),
  output: {
    usage: "(value with expressions)",
    required: [Anything],
    optional: [],
    apply(definition, [value], refuse) {
      if (
        typeof value !== "string" &&
        (typeof value !== "object" || value === null || Array.isArray(value))
      ) {
        refuse(
          0,
          [],
          "value_invalid",
          "the output is neither an object nor an expression",
          "write { name: … }",
        );
      }
      definition.output = value!;
    },
  },
  set: {
    usage: "(stepId, value with expressions, options?)",
    required: [StepId, Anything],
    optional: [StepOptions],
    apply(definition, [id, value, options], refuse) {
      const expression = typeof value === "string" && value.startsWith("${");
      const object = typeof value === "object" && value !== null && !Array.isArray(value);
      if (!expression && !(object && Object.keys(value).length > 0)) {
        refuse(
          1,
          [],
          "value_invalid",
          "set takes an object with members, or an expression",
          "write { name: … }",
        );
      }
      addStep(definition, refuse, id as string, null, { kind: "set", value: value! }, options as StepOptions);
    },
  },
  assertStep: {
    usage: "(stepId, { that, message }, options?)",
    required: [StepId, AssertOptions],
    optional: [StepOptions],
    apply(definition, [id, claim, options], refuse) {
      const target = { kind: "assert" as const, ...(claim as unknown as AssertOptions) };
      addStep(definition, refuse, id as string, null, target, options as StepOptions);
    },
  },
  switchStep: {
    usage: "(stepId, [{ when, then }, { then }], options?)",
    required: [StepId, SwitchCases],
    optional: [StepOptions],
    apply(definition, [id, cases, options], refuse) {
      const list = cases as unknown as SwitchCases;
      for (const [index, item] of list.entries()) {
        if (item.when === undefined && index < list.length - 1) {
          refuse(
            1,
            [String(index)],
            "value_invalid",
            "a case without when hides those behind it",
            "put it last",
          );
        }
      }
      addStep(
        definition,
        refuse,
        id as string,
        null,
        { kind: "switch", cases: list },
        options as StepOptions,
      );
    },
  },
  commandStep: {
    usage: "(stepId, { command, arguments, … })",
    required: [StepId, CommandOptions],
    optional: [],
    apply(definition, [id, value], refuse) {
      const options = value as unknown as CommandOptions;
      if (options.command.includes("${")) {
        refuse(
          1,
          ["command"],
          "value_invalid",
          "the command is an expression",
          "name the program; pass values as arguments",
        );
      }
      addStep(definition, refuse, id as string, null, commandTarget(options), {
        ...(options.title === undefined ? {} : { title: options.title }),
        ...(options.if === undefined ? {} : { if: options.if }),
        ...(options.then === undefined ? {} : { then: options.then }),
        ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
      });
    },
  },
  failStep: {
    usage: "(stepId, { title, detail, status? }, options?)",
    required: [StepId, FailOptions],
    optional: [StepOptions],
    apply(definition, [id, value, options], refuse) {
      const error = value as unknown as FailOptions;
      const target = {
        kind: "fail" as const,
        title: error.title,
        detail: error.detail,
        status: error.status ?? 500,
      };
      addStep(definition, refuse, id as string, null, target, options as StepOptions);
    },
  },
};

function commandTarget(options: CommandOptions): StepTarget {
  return {
    kind: "command",
    command: options.command,
    arguments: options.arguments ?? [],
    environment: options.environment ?? {},
    ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
    output: options.output ?? "text",
    workspace: options.workspace ?? "session",
    artifacts: (options.artifacts ?? []).map(({ path, name, mediaType }) => ({
      path,
      ...(name === undefined ? {} : { name }),
      ...(mediaType === undefined ? {} : { media_type: mediaType }),
    })),
    mounts: (options.mounts ?? []).map(({ source, target, readOnly }) => ({
      source,
      ...(target === undefined ? {} : { target }),
      read_only: readOnly ?? true,
    })),
    repeatable: options.repeatable ?? false,
    ...(options.pool === undefined ? {} : { pool: options.pool }),
    capabilities: options.capabilities ?? [],
  };
}
