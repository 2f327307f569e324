import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { newId } from "../../base/ids.ts";
import type { JsonObject } from "../../base/json.ts";
import { receiveEvent } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";
import { checkLane, checkStartData, laneOf } from "./lanes.ts";

const Text = Type.String({ minLength: 1, maxLength: 1024 });

/** A CloudEvent; extension attributes are any others. */
const CloudEvent = Type.Object(
  {
    specversion: Type.Optional(Type.Literal("1.0")),
    id: Type.Optional(Text),
    source: Type.Optional(Text),
    type: Text,
    subject: Type.Optional(Text),
    time: Type.Optional(Text),
    data: Type.Optional(Type.Unknown()),
  },
  { additionalProperties: true },
);

export const sendEvent = defineOperation({
  name: "event.send",
  scope: "run",
  summary:
    "Give an event to the workflows that listen for it, or start one by a lane; the same source and id again change nothing",
  method: "POST",
  path: "/events",
  status: 202,
  body: "cloudevent",
  input: CloudEvent,
  output: closed({ id: Text, source: Text, received: Type.Boolean() }),
  async run(context, input) {
    const lane = laneOf(input.type);
    if (lane !== null) {
      checkLane(context.principal, lane);
      checkStartData(input.data);
    }
    const now = context.clock.wall();
    const event = {
      specversion: "1.0",
      id: newId(),
      source: "/lightflow",
      time: isoTime(now),
      ...input,
    } as JsonObject;
    // Into the store, whether or not an orchestrator runs: one that starts later finds it there.
    const received = await context.records.write(receiveEvent, {
      tenantId: context.tenantId,
      event,
      lane,
      now,
      by: context.principal.subject,
    });
    return { id: event["id"] as string, source: event["source"] as string, received };
  },
});
