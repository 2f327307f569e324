import type { Admission } from "../protocol/index.ts";
import { digestOfFile } from "./binary-digest.ts";
import { effectiveConfig } from "./config.ts";
import { auditSnapshot, registration } from "./registration.ts";
import { usableSandboxes } from "./sandbox-choice.ts";

/**
 * What a runner of this host and configuration is, in the terms in which an operator approves it: nothing is left open.
 * @throws Failure as starting that runner would
 */
export async function describeRunner(config: unknown): Promise<Admission> {
  const effective = effectiveConfig(config);
  const [sandboxes, binaryDigest] = await Promise.all([
    usableSandboxes(effective),
    digestOfFile(process.execPath),
  ]);
  const asked = registration(effective, sandboxes, binaryDigest);
  const shown = auditSnapshot(effective, "", sandboxes, binaryDigest);
  const { tenantId, runnerId, hostId, runnerPools, executionProfiles, capabilities, slots } = asked;
  return {
    ...{ tenantId, runnerId, hostId, runnerPools, executionProfiles, capabilities, slots },
    runnerKind: asked.runnerKind,
    ...(asked.imageDigest === undefined ? {} : { imageDigest: asked.imageDigest }),
    ...(asked.vmImageId === undefined ? {} : { vmImageId: asked.vmImageId }),
    binaryDigest,
    ...(asked.browserDigest === undefined
      ? {}
      : { browserExecutable: asked.browserExecutable, browserDigest: asked.browserDigest }),
    configHash: asked.configHash,
    commandAllowlistHash: asked.commandAllowlistHash,
    workspacePolicy: asked.workspacePolicy,
    networkZone: asked.networkZone,
    secretPolicy: asked.secretPolicy,
    modelProviderScopes: asked.modelProviderScopes,
    mounts: asked.mounts,
    sandboxModes: asked.sandbox.modes,
    sandboxProviders: asked.sandbox.providers.map(({ provider, template }) => ({ provider, template })),
    snapshot: {
      commands: shown.commands,
      sandboxTemplates: shown.sandboxTemplates,
      mounts: shown.mounts,
      networkPolicy: shown.networkPolicy,
      secretBindings: shown.secretBindings,
    },
  };
}
