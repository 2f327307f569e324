import { defineOperation } from "./operation.ts";
import { closed } from "./shapes.ts";

export const health = defineOperation({
  name: "health",
  scope: "read",
  summary: "Whether this process answers, and for which store",
  method: "GET",
  path: "/health",
  input: closed({}),
  run(context) {
    return {
      status: "ok" as const,
      version: context.version,
      orchestrator: context.orchestration !== null,
      ...(context.trustsPaths ? { state: context.stateDirectory } : {}),
    };
  },
});
