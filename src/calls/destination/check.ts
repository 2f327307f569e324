import { lookup } from "node:dns/promises";
import type { CallContext } from "../call.ts";
import { callError } from "../error.ts";
import { type Address, inRange, isPublicAddress, parseAddress, unmapped } from "./address.ts";
import { type DestinationPattern, type DestinationPolicy, parsePattern } from "./policy.ts";

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  http: 80,
  ws: 80,
  grpc: 80,
  https: 443,
  wss: 443,
  grpcs: 443,
};

/** Where a request goes, checked. */
export interface Destination {
  readonly url: URL;
  /** Connect to one of these and to nothing else; undefined where the policy admits any address. */
  readonly addresses?: readonly string[];
}

type Checker = Pick<CallContext, "policy" | "resolveHost">;

/**
 * Ask the policy about an address of the network. A name is resolved here, once, and the answer is what the caller
 * connects to: a second look-up could give another one (DNS rebinding).
 * @throws CallError `authorization` for what the policy refuses, `communication` for a name without an address
 */
export async function checkDestination(url: URL, { policy, resolveHost }: Checker): Promise<Destination> {
  const scheme = url.protocol.slice(0, -1);
  if (!policy.schemes.includes(scheme)) throw refused(url, `the scheme ${scheme}`);
  if (url.username !== "" || url.password !== "")
    throw callError(
      "configuration",
      `${place(url)}: credentials belong in \`authentication\`, not in the address`,
    );
  const port = url.port === "" ? (DEFAULT_PORTS[scheme] ?? 0) : Number(url.port);
  if (policy.ports !== undefined && !policy.ports.includes(port)) throw refused(url, `port ${port}`);
  const host = hostName(url);
  for (const text of policy.elsewhere ?? []) {
    if (!matchesName(parsePattern(text), host, port)) continue;
    throw callError(
      "authorization",
      `${place(url)}: the host is private to the tenant's network (${text}), so only a command of a runner there may call it`,
    );
  }
  if (policy.privateAddresses && policy.deny.length === 0 && policy.only === undefined) return { url };

  const literal = parseAddress(host);
  const texts =
    literal === undefined ? await resolve(host, url, resolveHost) : [host.replace(/^\[|\]$/g, "")];
  for (const text of texts) {
    const address = parseAddress(text);
    if (address === undefined) throw refused(url, "its address");
    checkAddress(url, { host, port, address: unmapped(address), isNamed: literal === undefined }, policy);
  }
  return { url, addresses: texts };
}

/** A host name in a URL with a scheme that browsers do not know keeps its case and its odd notations of addresses. */
export function hostName(url: URL): string {
  const normal = /^(?:https?|wss?):$/.test(url.protocol)
    ? url.hostname
    : new URL(`http://${url.hostname}/`).hostname;
  return normal.replace(/\.$/, "");
}

async function resolve(
  host: string,
  url: URL,
  resolveHost: CallContext["resolveHost"],
): Promise<readonly string[]> {
  let addresses: readonly string[] = [];
  try {
    addresses = await resolveHost(host);
  } catch {
    // The answer is the same as for no address.
  }
  if (addresses.length === 0) throw callError("communication", `${place(url)}: the host name has no address`);
  return addresses;
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly address: Address;
  readonly isNamed: boolean;
}

function checkAddress(url: URL, target: Target, policy: DestinationPolicy): void {
  const matches = (text: string) => matchesPattern(parsePattern(text), target);
  if (policy.deny.some(matches)) throw refused(url, "this destination");
  if (policy.only !== undefined && !policy.only.some(matches)) throw refused(url, "this destination");
  if (policy.privateAddresses || isPublicAddress(target.address) || policy.allow.some(matches)) return;
  throw refused(
    url,
    target.isNamed ? "a name that leads to a private address" : "an address that is not public",
  );
}

function matchesPattern(pattern: DestinationPattern, target: Target): boolean {
  if (pattern.range === undefined)
    return (target.isNamed || isEvery(pattern)) && matchesName(pattern, target.host, target.port);
  return (
    (pattern.port === undefined || pattern.port === target.port) && inRange(target.address, pattern.range)
  );
}

const isEvery = ({ host, suffix, range }: DestinationPattern): boolean =>
  host === undefined && suffix === undefined && range === undefined;

/** A host as it is written: a name, or an address that stands there as one. */
function matchesName(pattern: DestinationPattern, host: string, port: number): boolean {
  if (pattern.port !== undefined && pattern.port !== port) return false;
  if (pattern.range !== undefined) {
    const address = parseAddress(host);
    return address !== undefined && inRange(unmapped(address), pattern.range);
  }
  if (isEvery(pattern)) return true;
  return pattern.suffix === undefined ? host === pattern.host : host.endsWith(pattern.suffix);
}

function refused(url: URL, what: string) {
  return callError("authorization", `${place(url)}: the destination policy does not allow ${what}`);
}

/** The part of an address that may stand in a message: a path can hold a token. */
export function place(url: URL): string {
  return `${url.protocol}//${url.host}`;
}

/** All addresses that the system knows for a name, IPv4 first: a host without an IPv6 route is the common case. */
export async function systemResolveHost(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true });
  return found.sort((a, b) => a.family - b.family).map(({ address }) => address);
}
