import type { Json, JsonObject } from "../../base/json.ts";
import type { Method, Methods, Refuse } from "./methods.ts";
import {
  Anything,
  ApiFormat,
  Candidate,
  CodeBehaviour,
  CommandBehaviour,
  DurationText,
  ExchangeBehaviour,
  HttpBehaviour,
  ModelFileOptions,
  ResourceUse,
  RetryOptions,
  Words,
} from "./options.ts";
import { portMethod } from "./ports.ts";
import { checkCommand, STEP_METHODS, segment } from "./steps.ts";
import { codeTarget, commandTarget, httpTarget } from "./targets.ts";
import type { ComponentDef, ModelCandidate, ModelFile, Retry, StepTarget } from "./types.ts";

const DESCRIBED: Methods<ComponentDef> = {
  description: {
    usage: "(text)",
    required: [Words],
    optional: [],
    apply(definition, [text]) {
      definition.description = text as string;
    },
  },
  capability: {
    usage: "(name)",
    required: [Words],
    optional: [],
    apply(definition, [name]) {
      definition.capabilities ??= [];
      definition.capabilities.push(name as string);
    },
  },
};

const PORTS: Methods<ComponentDef> = {
  ...DESCRIBED,
  input: portMethod((definition) => {
    definition.inputs ??= {};
    return definition.inputs;
  }),
  output: portMethod((definition) => {
    definition.outputs ??= {};
    return definition.outputs;
  }),
};

/** What has a contract: typed ports, and the outputs as a value. */
const CONTRACT: Methods<ComponentDef> = {
  ...PORTS,
  result: {
    usage: "({ output: value with expressions })",
    required: [Anything],
    optional: [],
    apply(definition, [value], refuse) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        refuse(
          0,
          [],
          "value_invalid",
          "the result is not an object",
          "write a member for each output: { name: … }",
        );
      }
      definition.result = value as JsonObject;
    },
  },
};

function behaviour(
  method: Omit<Method<ComponentDef>, "apply">,
  target: (args: Json[], refuse: Refuse) => StepTarget,
): Method<ComponentDef> {
  return {
    ...method,
    apply(definition, args, refuse) {
      if (definition.behaviour !== undefined) {
        refuse(0, [], "value_invalid", "the node does something already", "a node has one behaviour");
      }
      const made = target(args, refuse);
      const exchange = made.kind === "api" || made.kind === "tool" || made.kind === "thread";
      const request = exchange ? (args[1] as JsonObject | undefined)?.["request"] : undefined;
      definition.behaviour = {
        target: made,
        ...(request === undefined ? {} : { request: { kind: "json", body: request } }),
      };
    },
  };
}

export const NODE_METHODS: Methods<ComponentDef> = {
  ...CONTRACT,
  requiredModel: STEP_METHODS["requiredModel"]!,
  api: behaviour(
    { usage: "(format, { request }?)", required: [ApiFormat], optional: [ExchangeBehaviour] },
    ([format]) => ({ kind: "api", format: format as string }),
  ),
  tool: behaviour(
    { usage: "(toolId, { request }?)", required: [Words], optional: [ExchangeBehaviour] },
    ([name], refuse) => ({ kind: "tool", tool_id: segment(refuse, 0, "tool_id", name as string) }),
  ),
  thread: behaviour(
    { usage: "(threadId, { request }?)", required: [Words], optional: [ExchangeBehaviour] },
    ([name], refuse) => ({ kind: "thread", thread_id: segment(refuse, 0, "thread_id", name as string) }),
  ),
  command: behaviour(
    { usage: "({ command, arguments, … })", required: [CommandBehaviour], optional: [] },
    ([options], refuse) => {
      const command = options as unknown as CommandBehaviour;
      checkCommand(refuse, 0, command.command);
      return commandTarget(command);
    },
  ),
  http: behaviour(
    { usage: "({ method, endpoint, … })", required: [HttpBehaviour], optional: [] },
    ([options]) => httpTarget(options as unknown as HttpBehaviour),
  ),
  code: behaviour(
    { usage: "({ network, pool, … }?)", required: [], optional: [CodeBehaviour] },
    ([options]) => codeTarget(options as unknown as CodeBehaviour | undefined),
  ),
  value: behaviour({ usage: "(value with expressions)", required: [Anything], optional: [] }, ([value]) => ({
    kind: "set",
    value: value!,
  })),
  timeout: {
    usage: "(duration)",
    required: [DurationText],
    optional: [],
    apply(definition, [timeout]) {
      definition.timeout = timeout as string;
    },
  },
  retry: {
    usage: "({ attempts, delay?, backoff? })",
    required: [RetryOptions],
    optional: [],
    apply(definition, [retry]) {
      definition.retry = retry as unknown as Retry;
    },
  },
  resources: {
    usage: "({ name: units })",
    required: [ResourceUse],
    optional: [],
    apply(definition, [resources]) {
      definition.resources = resources as Record<string, number>;
    },
  },
  impure: {
    usage: "()",
    required: [],
    optional: [],
    apply(definition) {
      definition.impure = true;
    },
  },
};

export const COMPOSITION_METHODS: Methods<ComponentDef> = { ...CONTRACT, ...STEP_METHODS };

export const MODEL_METHODS: Methods<ComponentDef> = {
  ...PORTS,
  candidate: {
    usage: "({ model, provider?, format? })",
    required: [Candidate],
    optional: [],
    apply(definition, [candidate]) {
      definition.candidates ??= [];
      definition.candidates.push(candidate as unknown as ModelCandidate);
    },
  },
  file: {
    usage: "({ name, from, sha256, size? })",
    required: [ModelFileOptions],
    optional: [],
    apply(definition, [file], refuse) {
      const made = file as unknown as ModelFile;
      definition.files ??= [];
      if (definition.files.some(({ name }) => name === made.name)) {
        refuse(0, ["name"], "value_invalid", `the file ${made.name} stands twice`, "remove one");
      }
      definition.files.push(made);
    },
  },
  licence: {
    usage: "(SPDX id or name)",
    required: [Words],
    optional: [],
    apply(definition, [licence]) {
      definition.licence = licence as string;
    },
  },
  homepage: {
    usage: "(address)",
    required: [Words],
    optional: [],
    apply(definition, [address]) {
      definition.homepage = address as string;
    },
  },
};
