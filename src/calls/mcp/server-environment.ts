import { childEnvironment } from "../../base/child-env.ts";
import type { Environment } from "../../base/xdg.ts";

/** What a server beside its client in a task's sandbox sees: the task's own environment, without where its output goes. */
export const serverEnvironment = (env: Environment): Record<string, string> =>
  childEnvironment(env, { LIGHTFLOW_OUTPUT: undefined });
