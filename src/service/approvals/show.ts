import { Type } from "@sinclair/typebox";
import type { Json, JsonObject } from "../../base/json.ts";
import { type Approval, lastApproved, readApproval } from "../../store/index.ts";
import { differences } from "../history/differences.ts";
import { defineOperation } from "../operation.ts";
import { AnyObject, closed, nullable, Text } from "../shapes.ts";
import { ApprovalId, approvalMembers, approvalView } from "./view.ts";

export const showApproval = defineOperation({
  name: "approval.show",
  scope: "read",
  summary:
    "What exactly would happen: command or call, template, target, artifacts by digest; and what differs from what was approved last",
  method: "GET",
  path: "/approvals/:approval_id",
  input: closed({ approval_id: ApprovalId }),
  output: closed({
    ...approvalMembers,
    /** What is bound; its digest is `digest`. */
    binding: AnyObject,
    approvers: Type.Array(Text),
    separation_of_duties: Type.Boolean(),
    /** The task as its lease will have it, or the call as it will be made. */
    action: AnyObject,
    /** Against the last approval of the same step of the same workflow. */
    changes: nullable(
      closed({
        since: Text,
        differences: Type.Array(closed({ path: Text, before: Type.Unknown(), now: Type.Unknown() })),
      }),
    ),
  }),
  run({ views, tenantId }, { approval_id }) {
    const approval = views.read(readApproval, { tenantId, approvalId: approval_id });
    const before = views.read(lastApproved, {
      tenantId,
      workflow: approval.workflow,
      stepId: approval.step_id,
      before: approval.decided_at ?? Number.MAX_SAFE_INTEGER,
    });
    return {
      ...approvalView(approval),
      binding: approval.binding,
      approvers: [...approval.rule.approvers],
      separation_of_duties: approval.rule.separation,
      action: actionOf(approval),
      changes:
        before === null
          ? null
          : {
              since: before.id,
              differences: differences(comparable(before), comparable(approval)).map(({ path, a, b }) => ({
                path,
                before: a,
                now: b,
              })),
            },
    };
  },
});

const comparable = (approval: Approval): Json =>
  ({ binding: approval.binding, action: actionOf(approval) }) as unknown as Json;

/** What would be done, without what is only for the queue. */
function actionOf({ kind, work }: Approval): JsonObject {
  if (kind === "call") {
    const { call, with: given } = (work["effect"] as { request: JsonObject }).request;
    return { call: call!, with: given! };
  }
  const { payload } = work["request"] as { payload: JsonObject };
  const { workspace: _, ...rest } = payload;
  return rest;
}
