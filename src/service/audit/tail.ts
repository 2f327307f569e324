import { Type } from "@sinclair/typebox";
import { findAudit } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { After, closed, Limit } from "../shapes.ts";
import { tenantOf } from "../tokens/view.ts";
import { AuditEntryShape, ChainOf, entryView, Word } from "./view.ts";

export const tailAudit = defineOperation({
  name: "audit.tail",
  scope: "admin",
  summary: "Decisions, oldest first: the last ones, or those after a number; by actor, action or object",
  method: "GET",
  path: "/admin/audit/entries",
  input: closed({
    after: After,
    limit: Limit,
    actor: Word,
    /** `lease` stands for all of `lease.issued`, `lease.expired`, … */
    action: Word,
    object: Word,
    tenant: ChainOf,
  }),
  output: closed({ entries: Type.Array(AuditEntryShape) }),
  run(context, input) {
    const rows = context.views.read(findAudit, {
      tenantId: tenantOf(context, input.tenant),
      after: input.after ?? null,
      limit: input.limit ?? 50,
      actor: input.actor ?? null,
      action: input.action ?? null,
      object: input.object ?? null,
    });
    return { entries: rows.map(entryView) };
  },
});
