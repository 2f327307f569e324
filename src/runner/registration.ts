import packageFile from "../../package.json" with { type: "json" };
import { newId } from "../base/ids.ts";
import type { AuditSnapshot, Registration } from "../protocol/index.ts";
import type { EffectiveConfig } from "./config.ts";
import type { SandboxCapability } from "./sandboxes/index.ts";

/** What the runner says of itself; the controller decides what of it counts. */
export function registration(
  config: EffectiveConfig,
  capabilities: readonly SandboxCapability[],
  binaryDigest: string,
  version = packageFile.version,
): Omit<Registration, "publicKey" | "challenge" | "signature"> {
  return {
    messageId: newId(),
    runnerId: config.runnerId,
    tenantId: config.tenantId,
    hostId: config.hostId,
    runnerKind: config.runnerKind,
    runnerPools: config.runnerPools,
    executionProfiles: config.executionProfiles,
    capabilities: config.capabilities,
    ...(config.imageDigest === undefined ? {} : { imageDigest: config.imageDigest }),
    ...(config.vmImageId === undefined ? {} : { vmImageId: config.vmImageId }),
    binaryDigest,
    configHash: config.configHash,
    commandAllowlistHash: config.commandAllowlistHash,
    workspacePolicy: config.workspacePolicy,
    networkZone: config.networkZone,
    secretPolicy: config.secretPolicy,
    modelProviderScopes: config.modelProviderScopes,
    mounts: config.mounts,
    sandbox: {
      modes: [...new Set(capabilities.flatMap((capability) => capability.modes))],
      providers: capabilities.map(({ provider, template, boundary, features }) => ({
        provider,
        template,
        boundary,
        features: [...features],
      })),
    },
    slots: config.slots,
    version,
  };
}

/** What the runner really runs with, for a deep audit. */
export function auditSnapshot(
  config: EffectiveConfig,
  sessionId: string,
  capabilities: readonly SandboxCapability[],
  binaryDigest: string,
): AuditSnapshot {
  return {
    messageId: newId(),
    runnerId: config.runnerId,
    sessionId,
    commands: [...(config.commands ?? []), ...(config.commandTemplates ?? [])],
    sandboxTemplates: capabilities.map((capability) => capability.template),
    mounts: config.mounts,
    networkPolicy: "per-lease",
    secretBindings: Object.keys(config.secrets),
    configHash: config.configHash,
    commandAllowlistHash: config.commandAllowlistHash,
    binaryDigest,
    ...(config.imageDigest === undefined ? {} : { imageDigest: config.imageDigest }),
  };
}
