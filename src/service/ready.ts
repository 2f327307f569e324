import { Type } from "@sinclair/typebox";
import { fail } from "../base/errors.ts";
import { hasAccessToken } from "../store/index.ts";
import { defineOperation } from "./operation.ts";
import { closed } from "./shapes.ts";

export const ready = defineOperation({
  name: "ready",
  scope: "public",
  summary: "Whether this process can do its work: the store answers and an orchestrator is there",
  method: "GET",
  path: "/ready",
  input: closed({}),
  output: closed({ ready: Type.Literal(true) }),
  async run(context) {
    const { orchestration } = context;
    if (orchestration === null || (orchestration.isReady !== undefined && !(await orchestration.isReady()))) {
      throw fail("no_orchestrator", undefined, {
        hint: "start one with `lightflow up` or `lightflow orchestrator`",
      });
    }
    context.views.read(hasAccessToken, { now: 0 });
    return { ready: true as const };
  },
});
