import { Type } from "@sinclair/typebox";
import { orchestrationOf, type ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed, oneOf, Text } from "../shapes.ts";
import { ApprovalId } from "./view.ts";

const input = closed({ approval_id: ApprovalId, note: Type.Optional(Type.String({ maxLength: 1024 })) });
const output = closed({ approval_id: Text, run_id: Text, state: oneOf("approved", "rejected") });

async function decide(
  context: ServiceContext,
  decision: "approve" | "reject",
  { approval_id, note }: { approval_id: string; note?: string },
) {
  const { principal, tenantId } = context;
  const runId = await orchestrationOf(context).decideApproval({
    tenantId,
    approvalId: approval_id,
    decision,
    actor: principal.subject,
    roles: principal.roles,
    note: note ?? "",
  });
  return { approval_id, run_id: runId, state: decision === "approve" ? "approved" : "rejected" } as const;
}

export const approveApproval = defineOperation({
  name: "approval.approve",
  scope: "run",
  summary: "Approve what a task is about to do; it takes one of the approvers' roles, and counts once",
  method: "POST",
  path: "/approvals/:approval_id/approve",
  input,
  output,
  run: (context, given) => decide(context, "approve", given),
});

export const rejectApproval = defineOperation({
  name: "approval.reject",
  scope: "run",
  summary: "Reject what a task is about to do; the task fails with an error that its workflow can catch",
  method: "POST",
  path: "/approvals/:approval_id/reject",
  input,
  output,
  run: (context, given) => decide(context, "reject", given),
});
