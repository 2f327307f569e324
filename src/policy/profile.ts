/** Ordered from weak to strong (runner policy, "Isolation levels"). */
export const SANDBOX_MODES = ["none", "workflow-session", "per-agent-call", "per-publish"] as const;
export type SandboxMode = (typeof SANDBOX_MODES)[number];

export type NetworkPolicy = "deny-all" | "open";

/** What an operator approved under a name; a version never changes. The base that every other layer narrows. */
export interface ExecutionProfile {
  readonly id: string;
  readonly version: number;
  readonly runnerPools: readonly string[];
  readonly capabilities: readonly string[];
  readonly minimumSandbox: SandboxMode;
  readonly network: readonly NetworkPolicy[];
  /** Whether a task may ask to see host directories, and how. */
  readonly hostExposure: "none" | "read-only" | "read-write";
  readonly maximumTaskMs: number;
  readonly maximumLogBytes: number;
}

/**
 * The profile of a single host with nobody else's policy on it: `lightflow up` and `run start`. Tasks see no network
 * unless they ask, host directories read-only, and the usual tools of a workstation.
 */
export const LOCAL_PROFILE: ExecutionProfile = {
  id: "default",
  version: 1,
  runnerPools: ["default"],
  capabilities: [
    "bash",
    "bun",
    "cargo",
    "docker",
    "git",
    "go",
    "make",
    "maven",
    "node",
    "npm",
    "python3",
    "sh",
    "tar",
  ],
  minimumSandbox: "none",
  network: ["deny-all", "open"],
  hostExposure: "read-only",
  maximumTaskMs: 24 * 3_600_000,
  maximumLogBytes: 1024 * 1024 * 1024,
};
