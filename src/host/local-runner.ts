import { hostname } from "node:os";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { LOCAL_PROFILE } from "../policy/index.ts";
import { BROWSER_CAPABILITY, CONTAINER_CAPABILITY } from "../protocol/index.ts";
import type { RunnerConfig, RunningRunner } from "../runner/index.ts";
import { openSecrets } from "../secrets/index.ts";
import { enrolRunner } from "../store/index.ts";
import { DEFAULT_TENANT, type Parts } from "./parts.ts";

export interface LocalRunnerOptions {
  /** Tasks at once; 0 is one for each processor. */
  readonly slots: number;
  readonly sandbox: NonNullable<RunnerConfig["sandbox"]>;
  /** The Chromium of tasks with a browser; without it there are none. */
  readonly browser?: string | undefined;
  /** Its own unless said. */
  readonly imagesDirectory?: string;
}

const nameOf = (text: string): string =>
  text.replaceAll(/[^A-Za-z0-9._-]/g, "-").replace(/^[._-]+/, "") || "localhost";

/**
 * The runner of a host that has nobody else's policy: approved by the host itself, with the tools that are really
 * installed. It speaks the same protocol as one on another machine, over `fetch`; the secrets of its tasks are the tenant's
 * own, read in this process when a task begins.
 */
export async function startLocalRunner(
  parts: Parts,
  options: LocalRunnerOptions,
  controllerUrl: string,
  send: (request: Request) => Promise<Response>,
): Promise<RunningRunner> {
  const slots = options.slots === 0 ? navigator.hardwareConcurrency : options.slots;
  const identity = { tenantId: DEFAULT_TENANT, runnerId: "local", hostId: nameOf(hostname()) };
  const capabilities = LOCAL_PROFILE.policy.allow!.capabilities!.filter((name) => {
    if (name === BROWSER_CAPABILITY) return options.browser !== undefined;
    // An image may be brought at any time; a task whose image is missing is told so.
    return name === CONTAINER_CAPABILITY || Bun.which(name === "maven" ? "mvn" : name) !== null;
  });
  const offer = {
    runnerPools: [...LOCAL_PROFILE.policy.allow!.runnerPools!],
    executionProfiles: [LOCAL_PROFILE.id],
    capabilities,
  };
  const secrets = openSecrets(parts.store, parts.paths.state);
  const { imagesDirectory, loadIdentity, startRunner } = await import("../runner/index.ts");
  const dataDirectory = join(parts.paths.state, "runner");
  await parts.store.write(enrolRunner, {
    admission: { ...identity, ...offer, slots },
    credential: { publicKey: loadIdentity(dataDirectory).publicKey },
    actor: `user:${process.getuid?.() ?? 0}`,
    now: systemClock.wall(),
  });
  const running = startRunner({
    controllerUrl,
    fetch: ((input: string | URL | Request, init?: RequestInit) =>
      send(new Request(input as string, init))) as unknown as typeof fetch,
    enrolmentToken: null,
    embedded: true,
    broker(name) {
      const value = secrets.resolve(DEFAULT_TENANT, name);
      return value === undefined || typeof value === "string" ? value : JSON.stringify(value);
    },
    config: {
      ...identity,
      ...offer,
      runnerKind: "local",
      dataDirectory,
      slots,
      sandbox: options.sandbox,
      ...(options.browser === undefined ? {} : { browser: { executable: options.browser } }),
      mounts: ["/"],
      imagesDirectory: options.imagesDirectory ?? imagesDirectory(dataDirectory),
    },
    clock: systemClock,
    log: parts.log,
  });
  running.closed.catch((error: unknown) =>
    parts.log.error("the local runner has ended", { error: String(error) }),
  );
  await running.ready;
  return running;
}
