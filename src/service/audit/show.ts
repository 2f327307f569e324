import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import { listAudit } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";
import { tenantOf } from "../tokens/view.ts";
import { AuditEntryShape, ChainOf, entryView } from "./view.ts";

export const getAuditEntry = defineOperation({
  name: "audit.show",
  scope: "admin",
  summary: "One decision by its number",
  method: "GET",
  path: "/admin/audit/entries/:seq",
  input: closed({ seq: Type.Integer({ minimum: 1 }), tenant: ChainOf }),
  output: AuditEntryShape,
  run(context, input) {
    const page = { tenantId: tenantOf(context, input.tenant), after: input.seq - 1, limit: 1 };
    const row = context.views.read(listAudit, page)[0];
    if (row === undefined || row.seq !== input.seq) {
      throw fail("not_found", `there is no entry ${input.seq}`, {
        hint: "older entries may have been pruned",
      });
    }
    return entryView(row);
  },
});
