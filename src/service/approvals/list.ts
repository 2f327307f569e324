import { Type } from "@sinclair/typebox";
import { listApprovals as query } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";
import { ApprovalShape, approvalView } from "./view.ts";

const MOST = 1000;

export const listApprovals = defineOperation({
  name: "approval.list",
  scope: "read",
  summary: "What waits for somebody's approval; with `all` also what was decided, the newest first",
  method: "GET",
  path: "/approvals",
  input: closed({
    all: Type.Optional(Type.Boolean()),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MOST })),
  }),
  output: closed({ approvals: Type.Array(ApprovalShape) }),
  run({ views, tenantId }, { all, limit }) {
    const found = views.read(query, { tenantId, all: all === true, limit: limit ?? MOST });
    return { approvals: found.map(approvalView) };
  },
});
