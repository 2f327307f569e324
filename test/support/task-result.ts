import type { JsonObject } from "../../src/base/json.ts";
import type { Lease } from "../../src/protocol/index.ts";

/** What a runner reports of a task that went well, without the identity of its message. */
export const taskResult = (lease: Lease, more: JsonObject = {}): JsonObject => ({
  taskId: lease.taskId,
  taskReference: lease.taskReference,
  runnerId: lease.runnerId,
  policyDigest: lease.policyDigest,
  ...(lease.commandTemplateId === undefined ? {} : { commandTemplateId: lease.commandTemplateId }),
  ...(lease.approvalRefs === undefined ? {} : { approvalRefs: lease.approvalRefs }),
  status: "succeeded",
  exitCode: 0,
  signal: null,
  startedAt: "2026-01-01T00:00:00Z",
  completedAt: "2026-01-01T00:00:00Z",
  durationMs: 1,
  summary: "done",
  stdoutRef: null,
  stderrRef: null,
  artifactRefs: [],
  output: null,
  changedFiles: [],
  aiDiagnosisAllowed: false,
  retrySafety: "safe",
  sandbox: { provider: "process", boundary: "process" },
  ...more,
});
