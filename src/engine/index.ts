export { advance, newInstance } from "./advance.ts";
export { Definition } from "./definition.ts";
export { taskError } from "./errors.ts";
export * from "./state.ts";
export { SUPPORTED_TASKS } from "./tasks/index.ts";
