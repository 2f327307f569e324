import { approveApproval, rejectApproval } from "./decide.ts";
import { listApprovals } from "./list.ts";
import { showApproval } from "./show.ts";

export const approvalOperations = { listApprovals, showApproval, approveApproval, rejectApproval } as const;
