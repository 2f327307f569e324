import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import {
  type CallContext,
  createResourceReader,
  createTokenCache,
  type DestinationPolicy,
  denyPrivate,
  type ResourceReaderOptions,
  systemResolveHost,
  type TokenCache,
} from "../calls/index.ts";
import type { CortexPlace } from "../cortex/index.ts";
import { type CallLimits, coversHost, intersection } from "../policy/index.ts";
import type { Secrets } from "../secrets/index.ts";

/** Where the orchestrator's own calls may go, and through what. */
export interface CallOptions {
  /** The public Internet where nothing is said. */
  readonly policy?: DestinationPolicy;
  readonly fetch?: typeof fetch;
  readonly resolveHost?: CallContext["resolveHost"];
  /** Where `file:` addresses of descriptions are read; without it they are not. */
  readonly files?: ResourceReaderOptions["files"];
  /** The secrets that documents name. Asked for each call; never stored. */
  readonly secrets?: Secrets;
  /** Where `/ctx` is; what the environment says where it is not told. */
  readonly cortex?: CortexPlace;
}

/** For what is read before there is an instance. */
export const UNLIMITED: CallLimits = { only: null, deny: [], elsewhere: [] };

/** What an instance's policy leaves of the places that its orchestrator may call. */
function narrowed(policy: DestinationPolicy, { only, deny, elsewhere }: CallLimits): DestinationPolicy {
  return {
    ...policy,
    // Programs are started by runners, under a lease.
    processes: false,
    deny: [...policy.deny, ...deny],
    elsewhere: [...(policy.elsewhere ?? []), ...elsewhere],
    ...(only === null
      ? {}
      : { only: policy.only === undefined ? only : intersection(coversHost, policy.only, only) }),
  };
}

/** A description (OpenAPI, proto) that takes longer is given up. */
const RESOURCE_MS = 30_000;

/** What calls of one orchestrator share; `signal` is each call's own, of `controller` where that is the call's alone. */
export function callContexts(
  options: CallOptions,
  clock: Clock,
  log: Log,
): (signal: AbortSignal, controller?: AbortController, limits?: CallLimits) => CallContext {
  const tokenCache: TokenCache = createTokenCache();
  // Most calls of a server have the limits of a few policies, and hardly any reads a resource.
  const policies = new WeakMap<CallLimits, DestinationPolicy>();
  const policyOf = (limits: CallLimits): DestinationPolicy => {
    let policy = policies.get(limits);
    if (policy === undefined) {
      policy = narrowed(options.policy ?? denyPrivate, limits);
      policies.set(limits, policy);
    }
    return policy;
  };
  const reading: ResourceReaderOptions = {
    timeoutMs: RESOURCE_MS,
    ...(options.files === undefined ? {} : { files: options.files }),
  };
  return (signal, controller, limits = UNLIMITED) => {
    const context = {
      fetch: options.fetch ?? fetch,
      resolveHost: options.resolveHost ?? systemResolveHost,
      policy: policyOf(limits),
      clock,
      log,
      tokenCache,
      signal,
      ...(controller === undefined ? {} : { controller }),
      ...(options.cortex === undefined ? {} : { cortex: options.cortex }),
    };
    let reader: CallContext["readResource"] | undefined;
    const readResource: CallContext["readResource"] = (endpoint) => {
      reader ??= createResourceReader(context, reading);
      return reader(endpoint);
    };
    return { ...context, readResource };
  };
}
