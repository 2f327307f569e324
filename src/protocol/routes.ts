/** Every path of the runner protocol, in one place for both sides. */
export const ROUTES = {
  challenge: "/runner/challenge",
  register: "/runner/register",
  heartbeat: "/runner/heartbeat",
  claim: "/runner/claim",
  auditSnapshot: "/runner/audit-snapshot",
  drain: "/runner/drain",
} as const;

export const TASK_ACTIONS = ["started", "log", "progress", "renew", "complete", "fail", "reject"] as const;
export type TaskAction = (typeof TASK_ACTIONS)[number];

export const taskRoute = (leaseId: string, action: TaskAction): string => `/runner/task/${leaseId}/${action}`;
export const artifactRoute = (leaseId: string, sha256: string): string =>
  `/runner/task/${leaseId}/artifact/${sha256}`;
