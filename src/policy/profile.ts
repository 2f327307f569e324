import { type Static, Type } from "@sinclair/typebox";
import { LIMITS } from "../base/limits.ts";
import { closed, Name } from "../protocol/common.ts";
import { PolicyLayer } from "../protocol/policy.ts";
import { getValue, POLICY_FIELDS, setValue } from "./fields.ts";
import { meet } from "./meet.ts";

/** What an operator publishes: a name and what it allows. A field that is left out gets its strictest value. */
export const ProfileDocument = closed({
  id: Name,
  description: Type.Optional(Type.String({ maxLength: 4096 })),
  policy: PolicyLayer,
});
export type ProfileDocument = Static<typeof ProfileDocument>;

/** What an operator approved under a name; a version never changes. The base that every other layer narrows. */
export interface ExecutionProfile {
  readonly id: string;
  readonly version: number;
  /** Completed: what it does not say, it does not allow. */
  readonly policy: PolicyLayer;
}

/** A profile's policy with the strictest value wherever it says nothing. It allows itself, or nothing could name it. */
export function completeProfile({ id, policy }: Pick<ProfileDocument, "id" | "policy">): PolicyLayer {
  const complete = meet(policy, {});
  for (const field of POLICY_FIELDS) {
    if (field.strictest !== undefined && getValue(complete, field.path) === undefined) {
      setValue(complete, field.path, field.strictest);
    }
  }
  setValue(complete, "allow.executionProfiles", [id]);
  return complete;
}

/** A limit of concurrency that is none: there is nothing to count then. */
export const UNCOUNTED = Number.MAX_SAFE_INTEGER;

const ALL = ["*"];

/**
 * The profile of a single host with nobody else's policy on it: `lightflow up` and `run start`. Tasks see no network
 * unless they ask, host directories read-only, and the usual tools of a workstation.
 */
export const LOCAL_PROFILE: ExecutionProfile = {
  id: "default",
  /** Published ones count from 1. */
  version: 0,
  policy: completeProfile({
    id: "default",
    policy: {
      sandboxMode: "none",
      boundary: "process",
      modelGeneratedBoundary: "user-namespace",
      hostExposure: "read-only",
      network: "open",
      secretPolicy: "task-scoped",
      persistence: "session",
      workloadTrust: "trusted-template",
      provenance: "unsigned",
      directCommands: true,
      artifactExport: true,
      aiDiagnosisAllowed: true,
      tenantDataToSaas: true,
      approvalRequired: false,
      approvalSeparation: false,
      allow: {
        runnerPools: ["default"],
        runnerKinds: ALL,
        capabilities: [
          "bash",
          "browser",
          "bun",
          "cargo",
          "container",
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
        commandTemplates: ALL,
        executables: ["/"],
        tools: ALL,
        actions: ALL,
        networkHosts: ALL,
        networkPolicies: ALL,
        trustBundles: ALL,
        mounts: ["/"],
        images: ALL,
        sandboxProviders: ALL,
        agentPlacements: ALL,
        modelProviderScopes: ALL,
        modelProviders: ALL,
        dataBoundaries: ALL,
        credentialClasses: ALL,
        environmentNames: ALL,
        artifactPaths: ["."],
        approvers: ALL,
      },
      limits: {
        taskMs: 24 * 3_600_000,
        queueMs: 7 * 24 * 3_600_000,
        approvalTtlMs: 7 * 24 * 3_600_000,
        logBytes: 1024 * 1024 * 1024,
        outputBytes: LIMITS.taskOutputBytes,
        artifactCount: LIMITS.artifactCount,
        artifactBytes: LIMITS.artifactBytes,
        concurrency: UNCOUNTED,
        repairAttempts: 100,
        modelTokens: 1_000_000_000,
        modelCostMicros: 1_000_000_000,
      },
    },
  }),
};
