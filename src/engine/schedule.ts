import { fail } from "../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import { VERSION } from "../base/version.ts";
import { compileExpression } from "../expression/index.ts";
import { durationOf } from "./duration.ts";
import { TaskFault } from "./errors.ts";

/** When a published document starts by itself. */
export type ScheduleSpec =
  | { kind: "cron"; cron: string }
  | { kind: "every"; every_ms: number }
  | { kind: "after"; after_ms: number }
  | { kind: "on" };

/**
 * The schedule of a document, its durations evaluated at publication; null where it has none.
 * @throws Failure `document_invalid` for a duration that is none or too short
 */
export function scheduleOf(document: JsonObject, now: number): ScheduleSpec | null {
  const schedule = document["schedule"];
  if (!isObject(schedule)) return null;
  const { cron, every, after } = schedule as JsonObject;
  const duration = (name: string, value: Json, least: number): number => {
    const variables = {
      workflow: { definition: document },
      runtime: { name: "lightflow", version: VERSION, metadata: {} },
    };
    const evaluate = (text: string) => compileExpression(text, { bare: true })(null, { variables, now });
    let ms: number;
    try {
      ms = durationOf(value, evaluate);
    } catch (error) {
      if (!(error instanceof TaskFault)) throw error;
      throw fail("document_invalid", `/schedule/${name}: ${error.message}`);
    }
    if (ms < least) throw fail("document_invalid", `/schedule/${name}: less than ${least} ms`);
    return ms;
  };
  if (typeof cron === "string") return { kind: "cron", cron };
  if (every !== undefined)
    return { kind: "every", every_ms: duration("every", every, LIMITS.scheduleEveryMs) };
  if (after !== undefined) return { kind: "after", after_ms: duration("after", after, 0) };
  return { kind: "on" };
}

/**
 * The document that starts another one whenever its `schedule.on` is met: it listens for ever, and each batch of events is
 * the input of a new instance. One subscription all the time, so no event falls between two of them.
 */
export function listenerDocument(document: JsonObject): JsonObject {
  const { namespace, name, version, dsl } = document["document"] as JsonObject;
  const { on, read } = document["schedule"] as JsonObject;
  return {
    document: { dsl: dsl!, namespace: namespace!, name: name!, version: version! },
    do: [
      {
        listen: {
          listen: { to: on!, read: read ?? "envelope" },
          foreach: {
            item: "events",
            batch: true,
            do: [
              {
                start: {
                  run: {
                    workflow: {
                      namespace: namespace!,
                      name: name!,
                      version: version!,
                      input: "${ $events }",
                    },
                    await: false,
                  },
                },
              },
            ],
          },
        },
      },
    ],
  };
}
