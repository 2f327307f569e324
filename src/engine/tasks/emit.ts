import { isoTime } from "../../base/clock.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { evaluateTemplate } from "../data-flow.ts";
import { fault } from "../errors.ts";
import { PRIVATE_ATTRIBUTE, readsPrivate } from "../taint.ts";
import type { TaskHandler } from "./handler.ts";

/**
 * `emit`: a CloudEvent; the output is the event. What the document leaves out is filled in: an id that is the same at
 * every replay, the workflow as source, the recorded time.
 */
export const emitTask: TaskHandler = {
  begin(machine, frame, node) {
    const declared = ((node.task["emit"] as JsonObject)["event"] as JsonObject)["with"]!;
    const given = evaluateTemplate(machine, frame, "emit/event/with", declared) as JsonObject;
    for (const [name, value] of Object.entries(given)) {
      if (name === "data" || ["string", "number", "boolean"].includes(typeof value)) continue;
      throw fault("expression", `the event's ${name} must be text, a number or a boolean`);
    }
    const { instance, definition } = machine;
    const named = definition.document["document"] as JsonObject;
    const isPrivate = readsPrivate(machine, frame, declared);
    instance.emitted = (instance.emitted ?? 0) + 1;
    const event: JsonObject = {
      specversion: "1.0",
      id: `${instance.id}-${instance.emitted}`,
      source: `/workflows/${named["namespace"]}/${named["name"]}/${named["version"]}`,
      time: isoTime(machine.now),
      ...given,
      ...(isPrivate ? { [PRIVATE_ATTRIBUTE]: true } : {}),
    };
    machine.note("event.emitted", frame, { event: event as Json });
    machine.effects.push({ kind: "emit", id: machine.effectId(), event });
    machine.complete(frame, event);
  },
};
