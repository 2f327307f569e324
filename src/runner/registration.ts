import packageFile from "../../package.json" with { type: "json" };
import { newId } from "../base/ids.ts";
import { type AuditSnapshot, BROWSER_CAPABILITY, type Registration } from "../protocol/index.ts";
import type { ProvenBrowser } from "./browser/prove.ts";
import type { EffectiveConfig } from "./config.ts";
import type { Sandboxes } from "./sandbox-choice.ts";

type Proven = Pick<Sandboxes, "capabilities" | "browser">;

/** What the runner says of itself; the controller decides what of it counts. */
export function registration(
  config: EffectiveConfig,
  proven: Proven,
  binaryDigest: string,
  version = packageFile.version,
): Omit<Registration, "publicKey" | "challenge" | "signature"> {
  const { capabilities, browser } = proven;
  return {
    messageId: newId(),
    runnerId: config.runnerId,
    tenantId: config.tenantId,
    hostId: config.hostId,
    runnerKind: config.runnerKind,
    runnerPools: config.runnerPools,
    executionProfiles: config.executionProfiles,
    capabilities: offered(config.capabilities, browser),
    ...(config.imageDigest === undefined ? {} : { imageDigest: config.imageDigest }),
    ...(config.vmImageId === undefined ? {} : { vmImageId: config.vmImageId }),
    binaryDigest,
    ...(browser === null ? {} : { browserExecutable: browser.executable, browserDigest: browser.digest }),
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

/** A browser is offered because it was tried, never because the configuration says so. */
function offered(capabilities: readonly string[], browser: ProvenBrowser | null): string[] {
  const others = capabilities.filter((name) => name !== BROWSER_CAPABILITY);
  return browser === null ? others : [...others, BROWSER_CAPABILITY];
}

/** What the runner really runs with, for a deep audit. */
export function auditSnapshot(
  config: EffectiveConfig,
  sessionId: string,
  { capabilities, browser }: Proven,
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
    ...(browser === null ? {} : { browserDigest: browser.digest }),
  };
}
