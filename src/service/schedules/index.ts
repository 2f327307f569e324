import { pauseSchedule, resumeSchedule } from "./direct.ts";
import { listSchedules } from "./list.ts";

export const scheduleOperations = { listSchedules, pauseSchedule, resumeSchedule } as const;
