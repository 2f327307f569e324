import { Type } from "@sinclair/typebox";
import { findSchedule } from "../../store/index.ts";
import { orchestrationOf, type ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";
import { Schedule, scheduleView } from "./view.ts";

const Label = Type.String({ pattern: "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" });
const Key = closed({ namespace: Label, name: Label });

async function direct(
  context: ServiceContext,
  names: { namespace: string; name: string },
  state: "active" | "paused",
) {
  const key = { ...names, tenantId: context.tenantId };
  await orchestrationOf(context).directSchedule(key, state, context.principal.subject);
  return scheduleView(context.views.read(findSchedule, key));
}

export const pauseSchedule = defineOperation({
  name: "schedule.pause",
  scope: "run",
  summary: "Let a schedule start nothing until it is resumed; repeating it changes nothing",
  method: "POST",
  path: "/schedules/:namespace/:name/pause",
  input: Key,
  output: Schedule,
  run: (context, input) => direct(context, input, "paused"),
});

export const resumeSchedule = defineOperation({
  name: "schedule.resume",
  scope: "run",
  summary: "Let a schedule go on from now; what was due meanwhile is not caught up",
  method: "POST",
  path: "/schedules/:namespace/:name/resume",
  input: Key,
  output: Schedule,
  run: (context, input) => direct(context, input, "active"),
});
