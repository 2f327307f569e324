import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { newId } from "../../base/ids.ts";
import type { JsonObject } from "../../base/json.ts";
import { orchestrationOf } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";

const Text = Type.String({ minLength: 1, maxLength: 1024 });

/** A CloudEvent; extension attributes are any others. */
const CloudEvent = Type.Object(
  {
    specversion: Type.Optional(Type.Literal("1.0")),
    id: Type.Optional(Text),
    source: Type.Optional(Text),
    type: Text,
    time: Type.Optional(Text),
    data: Type.Optional(Type.Unknown()),
  },
  { additionalProperties: true },
);

export const sendEvent = defineOperation({
  name: "event.send",
  scope: "run",
  summary: "Give an event to the workflows that listen for it; the same source and id again change nothing",
  method: "POST",
  path: "/events",
  status: 202,
  input: CloudEvent,
  output: closed({ id: Text, source: Text, received: Type.Boolean() }),
  async run(context, input) {
    const event = {
      specversion: "1.0",
      id: newId(),
      source: "/lightflow",
      time: isoTime(context.clock.wall()),
      ...input,
    } as JsonObject;
    const received = await orchestrationOf(context).receive(context.tenantId, event);
    return { id: event["id"] as string, source: event["source"] as string, received };
  },
});
