import { Type } from "@sinclair/typebox";
import { defineOperation } from "./operation.ts";
import { closed, Text } from "./shapes.ts";

export const health = defineOperation({
  name: "health",
  scope: "public",
  summary: "Whether this process answers, and for which store",
  method: "GET",
  path: "/health",
  input: closed({}),
  output: closed({
    status: Type.Literal("ok"),
    version: Text,
    orchestrator: Type.Boolean(),
    /** Only for callers of this host. */
    state: Type.Optional(Text),
  }),
  run(context) {
    return {
      status: "ok" as const,
      version: context.version,
      orchestrator: context.orchestration !== null,
      ...(context.trustsPaths ? { state: context.stateDirectory } : {}),
    };
  },
});
