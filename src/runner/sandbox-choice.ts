import { fail, toFailure } from "../base/errors.ts";
import { holdsBoundary, type Lease } from "../protocol/index.ts";
import type { ProvenBrowser } from "./browser/prove.ts";
import type { EffectiveConfig } from "./config.ts";
import { hasImages } from "./images/store.ts";
import {
  openProvenCgroups,
  probeOci,
  probeSandboxes,
  processSandbox,
  type SandboxCapability,
  type SandboxProvider,
  vmSandbox,
} from "./sandboxes/index.ts";
import { resolveSecrets } from "./secrets.ts";

export interface Sandboxes {
  /** Strongest first. */
  readonly providers: readonly SandboxProvider[];
  readonly capabilities: readonly SandboxCapability[];
  /** What would make tasks run isolated, when they do not. */
  readonly remedy: string | null;
  /** The browser of the configuration, once the sandbox ran it. */
  readonly browser: ProvenBrowser | null;
  /** Why there is none, where the configuration names one. */
  readonly browserProblem: string | null;
  reconcile(): Promise<number>;
}

/**
 * The sandboxes that this host proves and the configuration allows, and the browser that one of them ran.
 * @throws Failure `feature_unsupported`
 */
export async function usableSandboxes(config: EffectiveConfig): Promise<Sandboxes> {
  const proven = await provenSandboxes(config);
  if (config.browser === undefined) return proven;
  const { proveBrowser } = await import("./browser/prove.ts");
  try {
    return { ...proven, browser: await proveBrowser(config, proven) };
  } catch (error) {
    const { message, hint } = toFailure(error);
    return { ...proven, browserProblem: hint === undefined ? message : `${message} (${hint})` };
  }
}

async function provenSandboxes(config: EffectiveConfig): Promise<Sandboxes> {
  const limiting = openProvenCgroups(config.dataDirectory);
  const demand = (found: SandboxProvider | null, remedy: string | null) => {
    if (config.sandbox !== "auto" && found === null) {
      throw fail("feature_unsupported", `the configuration demands the sandbox ${config.sandbox}`, {
        hint: remedy ?? "",
      });
    }
    return found === null ? [] : [found];
  };
  if (config.sandbox === "oci") {
    const { oci, remedy } = await probeOci(config, await limiting);
    return sandboxes(demand(oci, remedy), processSandbox(config.dataDirectory, await limiting), remedy);
  }
  if (config.sandbox === "vm" || isRemote(config)) {
    const elsewhere = isRemote(config)
      ? await remoteSandbox(config)
      : vmSandbox(config.dataDirectory, await limiting, config.vmImageId!);
    return sandboxes([elsewhere], processSandbox(config.dataDirectory, await limiting), null);
  }
  if (config.sandbox === "process") {
    const plain = processSandbox(config.dataDirectory, await limiting);
    return sandboxes([plain], plain, "the configuration asks for plain processes");
  }
  const { bubblewrap, process, remedy } = await probeSandboxes(config, limiting);
  const isolating = demand(bubblewrap, remedy);
  // Trying a container takes time: only a runner that has images pays for it.
  const { oci } = hasImages(config.imagesDirectory) ? await probeOci(config, await limiting) : { oci: null };
  if (oci !== null) isolating.push(oci);
  return sandboxes(config.sandbox === "auto" ? [...isolating, process] : isolating, process, remedy);
}

/** A day: longer tasks end with the pod that runs them. */
const LONGEST_SECONDS = 86_400;

/** Whether tasks of this configuration run on another host. */
export const isRemote = ({ sandbox }: EffectiveConfig): boolean =>
  sandbox === "kubernetes" || sandbox === "cubesandbox";

export async function remoteSandbox(config: EffectiveConfig): Promise<SandboxProvider> {
  // Only the runner that uses one loads its client.
  const { runnerId, dataDirectory, temporaryBytes, kubernetes, cube } = config;
  if (config.sandbox === "kubernetes") {
    const { kubernetesSandbox } = await import("./sandboxes/remote/kubernetes.ts");
    const { user, networkPolicy = false, ...rest } = kubernetes!;
    return kubernetesSandbox({
      ...rest,
      runnerId,
      dataDirectory,
      temporaryBytes,
      networkPolicy,
      serviceUser: user ?? (process.getuid?.() || 10_001),
      longestSeconds: LONGEST_SECONDS,
    });
  }
  const { cubeSandbox } = await import("./sandboxes/remote/cubesandbox.ts");
  const { keyReference, ...service } = cube!;
  const key = `runner-secret://${keyReference}`;
  const { environment } = await resolveSecrets({ key }, config);
  return cubeSandbox({ ...service, runnerId, dataDirectory, key: () => environment["key"]! });
}

function sandboxes(
  providers: readonly SandboxProvider[],
  plain: SandboxProvider,
  remedy: string | null,
): Sandboxes {
  return {
    providers,
    capabilities: providers.map((provider) => provider.capability),
    remedy,
    browser: null,
    browserProblem: null,
    async reconcile() {
      let ended = 0;
      // Plain processes also when only isolation is allowed: an earlier configuration may have run them.
      for (const provider of new Set([...providers, plain])) ended += await provider.reconcile();
      return ended;
    },
  };
}

/**
 * The sandbox for one lease: the one it names, else the strongest there is. Never a weaker one than its mode needs.
 * @throws Failure `feature_unsupported`
 */
export function chooseProvider(
  lease: Pick<Lease, "sandbox" | "task" | "browser">,
  sandboxes: Sandboxes,
): SandboxProvider {
  const { mode, provider: wanted, providers, boundary } = lease.sandbox;
  const fitting = sandboxes.providers.filter(
    ({ capability }) =>
      capability.modes.includes(mode) &&
      (providers?.includes(capability.provider) ?? true) &&
      (boundary === undefined || holdsBoundary(capability.boundary, boundary)),
  );
  if (lease.task.type === "run.container") {
    // Without one that runs images, the attempt says what is missing: the image itself, or a runtime for it.
    const forImages = fitting.find(({ capability }) => capability.images === true) ?? fitting[0];
    if (forImages !== undefined) return forImages;
  }
  if (lease.browser !== undefined) return forBrowser(fitting, sandboxes);
  const found =
    wanted === undefined ? fitting[0] : fitting.find(({ capability }) => capability.provider === wanted);
  if (found !== undefined) return found;
  throw fail(
    "feature_unsupported",
    `this runner has no sandbox for mode ${mode}${wanted === undefined ? (providers === undefined ? "" : ` by ${providers.join(" or ")}`) : ` by ${wanted}`}${boundary === undefined ? "" : ` behind ${boundary}`}`,
    { hint: sandboxes.remedy ?? "choose another sandbox provider" },
  );
}

/** A browser runs where it was tried, and nowhere else. */
function forBrowser(
  fitting: readonly SandboxProvider[],
  { browser, browserProblem }: Sandboxes,
): SandboxProvider {
  if (browser === null) {
    throw fail("feature_unsupported", browserProblem ?? "this runner has no browser", {
      hint: "name one in its configuration: browser: {executable: /usr/bin/chromium-headless-shell}",
    });
  }
  const found = fitting.find(({ capability }) => capability.provider === browser.provider);
  if (found !== undefined) return found;
  throw fail(
    "feature_unsupported",
    `a browser runs only in ${browser.provider}, which the lease does not allow`,
  );
}
