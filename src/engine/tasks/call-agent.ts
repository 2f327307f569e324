import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { evaluateTemplate } from "../data-flow.ts";
import { fault } from "../errors.ts";
import type { Machine } from "../machine.ts";
import type { CallEffectRequest, Frame, Question, TaskError } from "../state.ts";
import { isPrivateBelow, readsPrivate } from "../taint.ts";
import { withPolicies } from "./call-policies.ts";
import { lightOf } from "./run-request.ts";

/** The calls of agents: where they run is decided by policy when the effect is put down. */
export const AGENT_CALLS: ReadonlySet<string> = new Set(["agent", "agent-service"]);

/** What evaluates to data: everything that a model or a service is given. */
const TEXTS = ["prompt", "instructions", "input", "session", "diagnose"] as const;

/** The request of an agent's task: whatever names it, and whatever it is given, evaluated. */
export function agentRequest(
  machine: Machine,
  frame: Frame,
  kind: string,
  task: JsonObject,
): CallEffectRequest {
  const declared = (task["with"] ?? {}) as JsonObject;
  const { endpoint, outputSchema, onInvalidOutput: _, ...rest } = declared;
  const secrets: Record<string, string> = {};
  const given: JsonObject =
    endpoint === undefined
      ? rest
      : { ...rest, endpoint: withPolicies(machine, endpoint, secrets, "/endpoint") };
  const evaluated = evaluateTemplate(machine, frame, "with", given) as JsonObject;
  for (const name of ["prompt", "instructions", "session", "agent", "skill"])
    if (evaluated[name] !== undefined && typeof evaluated[name] !== "string")
      throw fault("expression", `\`${name}\` of an agent must be text`);
  const from = (task["input"] as JsonObject | undefined)?.["from"];
  const isPrivate =
    TEXTS.some((name) => readsPrivate(machine, frame, declared[name])) ||
    (from !== undefined && isPrivateBelow(machine, machine.frame(frame.parent)));
  return {
    call: kind,
    with: {
      ...evaluated,
      ...(outputSchema === undefined ? {} : { outputSchema: schemaOf(outputSchema) }),
      retry: retries(task),
    },
    secrets,
    light: evaluateTemplate(machine, frame, "metadata/lightWorkflow", lightOf(task)) as JsonObject,
    // Each exchange with a model has an id of its own and is made once; a service knows a repeat by its message's id.
    repeatable: true,
    private: isPrivate,
    timeout_ms: machine.timeoutOf(machine.definition.task(frame.pointer), frame),
  };
}

function schemaOf(declared: Json): Json {
  const document = isObject(declared) ? (declared as JsonObject)["document"] : undefined;
  if (document === undefined)
    throw fault("configuration", "the schema of the agent's answer was not fetched");
  return document;
}

const RETRIES = 2;

function retries(task: JsonObject): number {
  const asked = ((task["with"] as JsonObject)["onInvalidOutput"] as JsonObject | undefined)?.["retry"];
  return typeof asked === "number" ? asked : RETRIES;
}

/** `onInvalidOutput: {then: ask}`: a person answers where the model could not. Null where the task just fails. */
export function questionInstead(task: JsonObject, error: TaskError): Question | null {
  const declared = (task["with"] ?? {}) as JsonObject;
  const then = (declared["onInvalidOutput"] as JsonObject | undefined)?.["then"];
  if (then !== "ask" || error.data?.["code"] !== "agent_output_invalid") return null;
  return {
    prompt: `The agent ${declared["agent"]} gave no valid answer (${error.detail ?? ""}). What is the answer?`,
    options: null,
    schema: declared["outputSchema"] === undefined ? null : schemaOf(declared["outputSchema"]),
    assignment: null,
    required: true,
  };
}
