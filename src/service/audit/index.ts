import { exportAudit, pruneAuditChain } from "./export.ts";
import { getAuditEntry } from "./show.ts";
import { tailAudit } from "./tail.ts";
import { verifyAuditChain } from "./verify.ts";

export const auditOperations = {
  tailAudit,
  getAuditEntry,
  verifyAuditChain,
  exportAudit,
  pruneAuditChain,
} as const;
