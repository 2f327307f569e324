import { isoTime } from "../base/clock.ts";
import { newId, randomToken } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { UnsignedLease } from "./lease.ts";

/** A complete lease for tests and for the documentation of `lightflow runner exec`; `overrides` replace fields. */
export function exampleLease(overrides: Partial<UnsignedLease> = {}): UnsignedLease {
  const now = Date.now();
  const leaseId = newId();
  return {
    leaseId,
    tenantId: "default",
    hostId: "localhost",
    runnerId: "local",
    sessionId: newId(),
    wfInstanceId: newId(),
    taskId: "greet",
    taskReference: "/do/0/greet",
    taskType: "run.shell",
    runnerPool: "default",
    executionProfile: "default",
    capabilities: [],
    attempt: 1,
    fencingToken: 1,
    nonce: randomToken(),
    issuedAt: isoTime(now),
    expiresAt: isoTime(now + LIMITS.leaseMs),
    remainingMs: LIMITS.leaseMs,
    deadlineMs: LIMITS.taskTimeoutMs,
    renewIntervalMs: LIMITS.leaseRenewMs,
    policyDigest: `sha256:${"0".repeat(64)}`,
    task: { type: "run.shell", command: "echo", arguments: ["hello"], environment: {} },
    workspace: { mode: "ephemeral", key: leaseId },
    mounts: [],
    sandbox: { mode: "none" },
    network: "deny-all",
    artifacts: [],
    output: "none",
    limits: {
      logBytes: LIMITS.taskLogBytes,
      outputBytes: LIMITS.taskOutputBytes,
      artifactBytes: LIMITS.artifactBytes,
      artifactCount: LIMITS.artifactCount,
    },
    ...overrides,
  };
}
