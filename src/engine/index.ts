export { advance, newInstance } from "./advance.ts";
export { Definition } from "./definition.ts";
export { taskError } from "./errors.ts";
export { SUPPORTED_FEATURES } from "./features.ts";
export { refusals, refuseUnsupported } from "./publication.ts";
export { listenerDocument, type ScheduleSpec, scheduleOf } from "./schedule.ts";
export * from "./state.ts";
export { answerProblem } from "./tasks/ask.ts";
export { uriVariables } from "./tasks/call.ts";
