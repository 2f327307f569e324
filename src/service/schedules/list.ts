import { Type } from "@sinclair/typebox";
import { listSchedules as listSchedulesQuery } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";
import { Schedule, scheduleView } from "./view.ts";

export const listSchedules = defineOperation({
  name: "schedule.list",
  scope: "read",
  summary: "What starts by itself: the schedule of each published workflow that has one",
  method: "GET",
  path: "/schedules",
  input: closed({}),
  output: closed({ schedules: Type.Array(Schedule) }),
  run(context) {
    return { schedules: context.views.read(listSchedulesQuery, context.tenantId).map(scheduleView) };
  },
});
