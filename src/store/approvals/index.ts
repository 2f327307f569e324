export {
  type Approval,
  type ApprovalBinding,
  type ApprovalGate,
  type ApprovalState,
  lastApproved,
  listApprovals,
  readApproval,
} from "./approval.ts";
export {
  ANYBODY,
  type DecideApproval,
  type DecidedApproval,
  decideApproval,
  expireApprovals,
  nextApprovalExpiry,
} from "./decide.ts";
