import { isoTime } from "../base/clock.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import type { Definition } from "./definition.ts";
import type { Instance, Transition } from "./state.ts";
import { holdsPrivate, PRIVATE_ATTRIBUTE } from "./taint.ts";

/** The types of lifecycle events (DSL, "Lifecycle events"). */
const LIFECYCLE = /^io\.serverlessworkflow\.(?:task|workflow)\./;

/** The lifecycle events that a line of the history stands for, and the time in their data. */
const EVENTS: Readonly<Record<string, readonly (readonly [name: string, time: string])[]>> = {
  "run.started": [["workflow.started", "startedAt"]],
  "run.suspended": [["workflow.suspended", "suspendedAt"]],
  "run.resumed": [["workflow.resumed", "resumedAt"]],
  "run.correlation_started": [["workflow.correlation-started", "startedAt"]],
  "run.correlation_completed": [["workflow.correlation-completed", "completedAt"]],
  "run.cancelled": [["workflow.cancelled", "cancelledAt"]],
  "run.failed": [["workflow.faulted", "faultedAt"]],
  "run.succeeded": [["workflow.completed", "completedAt"]],
  "step.started": [
    ["task.created", "createdAt"],
    ["task.started", "startedAt"],
  ],
  "step.suspended": [["task.suspended", "suspendedAt"]],
  "step.resumed": [["task.resumed", "resumedAt"]],
  "step.retried": [["task.retried", "retriedAt"]],
  "step.cancelled": [["task.cancelled", "cancelledAt"]],
  "step.failed": [["task.faulted", "faultedAt"]],
  "step.succeeded": [["task.completed", "completedAt"]],
};

const typeOf = (name: string): string => `io.serverlessworkflow.${name}.v1`;

export interface Lived {
  readonly definition: Definition;
  readonly instance: Instance;
  readonly transitions: readonly Transition[];
  /** What tasks gave, each at the place of its transition; the history does not keep it. */
  readonly outputs: readonly Json[];
  readonly now: number;
}

/**
 * What happened in one advance as the specification's CloudEvents, those that somebody wants. A document that listens for
 * lifecycle events makes none: two that listen to each other would never end.
 * @param key unique for the advance, and the same at every replay
 */
export function lifecycleEvents(lived: Lived, key: string, wanted: (type: string) => boolean): JsonObject[] {
  const { definition, instance, transitions, now } = lived;
  if (definition.hearsLifecycle) return [];
  const { namespace, name, version } = definition.document["document"] as JsonObject;
  const mark: JsonObject = holdsPrivate(instance) ? { [PRIVATE_ATTRIBUTE]: true } : {};
  const events: JsonObject[] = [];
  for (const [index, transition] of transitions.entries())
    for (const [lifecycle, time] of EVENTS[transition.event] ?? []) {
      const type = typeOf(lifecycle);
      if (!wanted(type)) continue;
      const about: JsonObject = lifecycle.startsWith("task.")
        ? { workflow: instance.run_id, task: transition.reference }
        : {
            name: instance.run_id,
            definition: { namespace: namespace!, name: name!, version: version! },
          };
      events.push({
        specversion: "1.0",
        id: `${key}.${index}.${lifecycle}`,
        source: `/workflows/${namespace}/${name}/${version}`,
        subject: instance.run_id,
        type,
        time: isoTime(now),
        datacontenttype: "application/json",
        ...mark,
        data: { ...about, [time]: isoTime(now), ...outcome(lived, index) },
      });
    }
  return events;
}

function outcome({ instance, transitions, outputs }: Lived, index: number): JsonObject {
  const transition = transitions[index]!;
  const detail = isObject(transition.detail) ? (transition.detail as JsonObject) : {};
  switch (transition.event) {
    case "run.succeeded":
      return { output: instance.output };
    case "step.succeeded":
      return { output: outputs[index] ?? null };
    case "run.failed":
    case "step.failed":
      return { error: detail["error"] ?? null };
    case "run.correlation_completed":
      return { correlationKeys: detail["keys"] ?? {} };
    default:
      return {};
  }
}

/** Whether a document listens for lifecycle events, in a task or by its schedule. */
export function hearsLifecycle(document: JsonObject): boolean {
  const heard = (value: unknown): boolean => {
    if (Array.isArray(value)) return value.some(heard);
    if (!isObject(value)) return false;
    const attributes = value["with"];
    const type = isObject(attributes) ? attributes["type"] : undefined;
    if (typeof type === "string" && LIFECYCLE.test(type)) return true;
    return Object.values(value).some(heard);
  };
  return heard(document["do"]) || heard(document["schedule"]) || heard(document["use"]);
}
