import { fail } from "../base/errors.ts";
import type { Lease } from "../protocol/index.ts";
import type { EffectiveConfig } from "./config.ts";
import {
  openProvenCgroups,
  probeSandboxes,
  processSandbox,
  type SandboxCapability,
  type SandboxProvider,
} from "./sandboxes/index.ts";

export interface Sandboxes {
  /** Strongest first. */
  readonly providers: readonly SandboxProvider[];
  readonly capabilities: readonly SandboxCapability[];
  /** What would make tasks run isolated, when they do not. */
  readonly remedy: string | null;
  reconcile(): Promise<number>;
}

/** The sandboxes that this host proves and the configuration allows. @throws Failure `feature_unsupported` */
export async function usableSandboxes(config: EffectiveConfig): Promise<Sandboxes> {
  const probe = config.sandbox === "process" ? null : await probeSandboxes(config);
  if (config.sandbox === "bubblewrap" && probe?.bubblewrap === null) {
    throw fail("feature_unsupported", "the configuration demands bubblewrap", { hint: probe.remedy ?? "" });
  }
  const plain =
    probe?.process ?? processSandbox(config.dataDirectory, await openProvenCgroups(config.dataDirectory));
  const providers = [
    ...(probe?.bubblewrap ? [probe.bubblewrap] : []),
    ...(config.sandbox === "bubblewrap" ? [] : [plain]),
  ];
  return {
    providers,
    capabilities: providers.map((provider) => provider.capability),
    remedy: probe === null ? "the configuration asks for plain processes" : probe.remedy,
    // Also when only bubblewrap is allowed: an earlier configuration may have run plain processes.
    reconcile: () => plain.reconcile(),
  };
}

/**
 * The sandbox for one lease: the one it names, else the strongest there is. Never a weaker one than its mode needs.
 * @throws Failure `feature_unsupported`
 */
export function chooseProvider(lease: Pick<Lease, "sandbox">, sandboxes: Sandboxes): SandboxProvider {
  const { mode, provider: wanted } = lease.sandbox;
  const fitting = sandboxes.providers.filter((provider) => provider.capability.modes.includes(mode));
  const found =
    wanted === undefined ? fitting[0] : fitting.find(({ capability }) => capability.provider === wanted);
  if (found !== undefined) return found;
  throw fail(
    "feature_unsupported",
    `this runner has no sandbox for mode ${mode}${wanted === undefined ? "" : ` by ${wanted}`}`,
    { hint: sandboxes.remedy ?? "choose another sandbox provider" },
  );
}
