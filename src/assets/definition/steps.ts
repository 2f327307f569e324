import type { Static, TSchema } from "@sinclair/typebox";
import type { Json, JsonObject } from "../../base/json.ts";
import type { Method, Methods, Refuse } from "./methods.ts";
import {
  ActionOptions,
  AgentOptions,
  Anything,
  ApiFormat,
  AskOptions,
  AssertOptions,
  CommandOptions,
  EffortOptions,
  ExchangeOptions,
  FailOptions,
  HttpOptions,
  StepId,
  StepOptions,
  SwitchCases,
  UseOptions,
  Words,
} from "./options.ts";
import { actionTarget, agentTarget, askTarget, commandTarget, httpTarget } from "./targets.ts";
import {
  type ApiFormat as ApiFormatName,
  PROMPT_TEMPLATES,
  type RequestTemplate,
  type StepTarget,
  type SwitchCase,
  type WorkflowStepDef,
} from "./types.ts";

/** What workflows and compositions are made of. */
export interface StepHolder {
  steps?: WorkflowStepDef[];
  required_models?: string[];
}

/** More steps than a document of the largest size holds. */
const MAXIMUM_STEPS = 2000;
/** Words with a meaning of their own where a step's id may stand. */
const DIRECTIVES = new Set(["continue", "exit", "end"]);

type Options = EffortOptions & { request?: unknown; inputs?: unknown };

function addStep(
  holder: StepHolder,
  refuse: Refuse,
  id: string,
  node: string | null,
  target: StepTarget,
  options: Options = {},
): void {
  const wrong = (message: string, hint: string) => refuse(0, [], "value_invalid", message, hint);
  if (DIRECTIVES.has(id)) wrong(`${id} is a flow directive, not a step id`, "name the step otherwise");
  if (id.endsWith(".resp.json") || id.endsWith(".error")) {
    wrong(`invalid step_id path segment: ${id}`, "do not end it in .resp.json or .error");
  }
  holder.steps ??= [];
  const { steps } = holder;
  if (steps.length >= MAXIMUM_STEPS)
    wrong(`a workflow has more than ${MAXIMUM_STEPS} steps`, "split it into workflows");
  if (steps.some((step) => step.step_id === id)) {
    refuse(0, [], "step_duplicate", `the step ${id} stands twice`, "give each step an id of its own");
  }
  if (options.map !== undefined && options.while !== undefined) {
    wrong(`the step ${id} has both map and while`, "give each a step of its own");
  }
  const { request, inputs, ...said } = options;
  steps.push({
    step_id: id,
    node_or_composition_id: node,
    target,
    ...(request === undefined ? {} : { request: { kind: "json" as const, body: request as Json } }),
    ...(inputs === undefined ? {} : { inputs: inputs as JsonObject }),
    ...(said as Partial<WorkflowStepDef>),
  });
}

function exchange(
  usage: string,
  target: (name: string, refuse: Refuse) => StepTarget,
  name: TSchema = Words,
): Method<StepHolder> {
  return {
    usage,
    required: [StepId, Words, name],
    optional: [ExchangeOptions],
    apply(holder, [id, node, third, options], refuse) {
      const made = target(third as string, refuse);
      addStep(holder, refuse, id as string, node as string, made, options as ExchangeOptions);
    },
  };
}

/** A step whose one argument says what it does, and beside that when and how it runs. */
function effortStep<Options extends TSchema>(
  usage: string,
  options: Options,
  target: (does: Omit<Static<Options>, keyof EffortOptions>, refuse: Refuse) => StepTarget,
): Method<StepHolder> {
  return {
    usage,
    required: [StepId, options],
    optional: [],
    apply(holder, [id, value], refuse) {
      const [said, does] = apart(value as Static<Options> & EffortOptions);
      addStep(holder, refuse, id as string, null, target(does, refuse), said);
    },
  };
}

/** The seed's path segment rule for tool and thread ids. */
export function segment(refuse: Refuse, argument: number, what: string, value: string): string {
  if (/^\.{1,2}$|[/\0]|(\.resp\.json|\.error)$/.test(value)) {
    refuse(argument, [], "value_invalid", `invalid ${what} path segment: ${value}`, "write one path segment");
  }
  return value;
}

/** `openaiChatInput` and its like: the request of the API step before it is one input field as one user message. */
function promptMethod(format: ApiFormatName): Method<StepHolder> {
  return {
    usage: "(modelAlias, inputField)",
    required: [Words, Words],
    optional: [],
    apply(holder, [alias, field], refuse) {
      const step = holder.steps?.at(-1);
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
        kind: PROMPT_TEMPLATES[format],
        model_alias: alias as string,
        input_field: field as string,
      } satisfies RequestTemplate;
    },
  };
}

/** The command itself is literal text: what comes in with data never chooses the program. */
export function checkCommand(refuse: Refuse, argument: number, command: string): void {
  if (command.includes("${")) {
    refuse(
      argument,
      ["command"],
      "value_invalid",
      "the command is an expression",
      "name the program; pass values as arguments",
    );
  }
}

/** The methods that add steps. */
export const STEP_METHODS: Methods<StepHolder> = {
  requiredModel: {
    usage: "(alias)",
    required: [Words],
    optional: [],
    apply(holder, [alias]) {
      holder.required_models ??= [];
      holder.required_models.push(alias as string);
    },
  },
  apiStep: exchange("(stepId, nodeId, format, options?)", (format) => ({ kind: "api", format }), ApiFormat),
  toolStep: exchange("(stepId, nodeId, toolId, options?)", (name, refuse) => ({
    kind: "tool",
    tool_id: segment(refuse, 2, "tool_id", name),
  })),
  threadStep: exchange("(stepId, nodeId, threadId, options?)", (name, refuse) => ({
    kind: "thread",
    thread_id: segment(refuse, 2, "thread_id", name),
  })),
  openaiChatInput: promptMethod("openai.chat"),
  openaiResponsesInput: promptMethod("openai.responses"),
  anthropicMessagesInput: promptMethod("anthropic.messages"),
  googleGenerateContentInput: promptMethod("google.generate_content"),
  step: {
    usage: "(stepId, nodeOrCompositionId, { inputs, … }?)",
    required: [StepId, Words],
    optional: [UseOptions],
    apply(holder, [id, asset, options], refuse) {
      addStep(
        holder,
        refuse,
        id as string,
        asset as string,
        { kind: "use" },
        (options ?? {}) as unknown as UseOptions,
      );
    },
  },
  set: {
    usage: "(stepId, value with expressions, options?)",
    required: [StepId, Anything],
    optional: [StepOptions],
    apply(holder, [id, value, options], refuse) {
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
      addStep(holder, refuse, id as string, null, { kind: "set", value: value! }, options as StepOptions);
    },
  },
  assertStep: {
    usage: "(stepId, { that, message }, options?)",
    required: [StepId, AssertOptions],
    optional: [StepOptions],
    apply(holder, [id, claim, options], refuse) {
      const target = { kind: "assert" as const, ...(claim as unknown as AssertOptions) };
      addStep(holder, refuse, id as string, null, target, options as StepOptions);
    },
  },
  switchStep: {
    usage: "(stepId, [{ when, then }, { then }], options?)",
    required: [StepId, SwitchCases],
    optional: [StepOptions],
    apply(holder, [id, cases, options], refuse) {
      const list = cases as unknown as SwitchCases as SwitchCase[];
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
      const target = { kind: "switch" as const, cases: list };
      addStep(holder, refuse, id as string, null, target, options as StepOptions);
    },
  },
  askStep: {
    usage: "(stepId, { prompt, options, … })",
    required: [StepId, AskOptions],
    optional: [],
    apply(holder, [id, value], refuse) {
      const ask = value as unknown as AskOptions;
      if (ask.default !== undefined && ask.timeout === undefined) {
        refuse(
          1,
          ["default"],
          "value_invalid",
          "a default is the answer when nobody answered in time, and there is no timeout",
          'add timeout: "PT1H"',
        );
      }
      const { timeout: _timeout, ...said } = apart(ask)[0];
      addStep(holder, refuse, id as string, null, askTarget(ask), said);
    },
  },
  agentStep: effortStep("(stepId, { agent, prompt, … })", AgentOptions, agentTarget),
  commandStep: effortStep("(stepId, { command, arguments, … })", CommandOptions, (does, refuse) => {
    checkCommand(refuse, 1, does.command);
    return commandTarget(does);
  }),
  actionStep: effortStep("(stepId, { action, with, … })", ActionOptions, actionTarget),
  httpStep: effortStep("(stepId, { method, endpoint, … })", HttpOptions, httpTarget),
  failStep: {
    usage: "(stepId, { title, detail, status? }, options?)",
    required: [StepId, FailOptions],
    optional: [StepOptions],
    apply(holder, [id, value, options], refuse) {
      const { title, detail, status } = value as unknown as FailOptions;
      const target = { kind: "fail" as const, title, detail, status: status ?? 500 };
      addStep(holder, refuse, id as string, null, target, options as StepOptions);
    },
  },
};

/** What a step says of when and how it runs, apart from what it does. */
function apart<T extends EffortOptions>(options: T): [EffortOptions, Omit<T, keyof EffortOptions>] {
  const said: Record<string, unknown> = {};
  const does: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) (name in EffortOptions.properties ? said : does)[name] = value;
  }
  return [said as EffortOptions, does as Omit<T, keyof EffortOptions>];
}
