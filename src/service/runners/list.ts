import { Type } from "@sinclair/typebox";
import { listRunners as listRunnersQuery } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";
import { Tenant, tenantOf } from "../tokens/view.ts";
import { Runner, runnerView } from "./view.ts";

export const listRunners = defineOperation({
  name: "runners.list",
  scope: "admin",
  summary: "Runners: approval, session, what each may do, what it runs",
  method: "GET",
  path: "/admin/runners",
  input: closed({ tenant: Type.Optional(Tenant) }),
  output: closed({ runners: Type.Array(Runner) }),
  run(context, input) {
    return {
      runners: context.views
        .read(listRunnersQuery, { tenantId: tenantOf(context, input.tenant) })
        .map(runnerView),
    };
  },
});
