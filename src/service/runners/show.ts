import { fail } from "../../base/errors.ts";
import { findRunner } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";
import { tenantOf } from "../tokens/view.ts";
import { RunnerDetails, runnerDetails, runnerInput } from "./view.ts";

export const getRunner = defineOperation({
  name: "runners.show",
  scope: "admin",
  summary: "One runner: its admission, what was pinned, what it reports, its session",
  method: "GET",
  path: "/admin/runners/:runner_id",
  input: closed(runnerInput),
  output: RunnerDetails,
  run(context, input) {
    const runner = context.views.read(findRunner, {
      tenantId: tenantOf(context, input.tenant),
      runnerId: input.runner_id,
    });
    if (runner === null) throw fail("not_found", `there is no runner ${input.runner_id}`);
    return runnerDetails(runner);
  },
});
