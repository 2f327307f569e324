import { fail } from "../../base/errors.ts";
import { type AddressRange, parseRange, unmapped } from "./address.ts";

/**
 * Where calls may go. A pattern is `*` for every host, a host name (`api.example.com`), all names below one (`*.example.com`), an address
 * or a range of them (`10.1.0.0/16`, `fd00::/8`), each with `:port` behind it if only that port is meant (an IPv6
 * address then stands in brackets).
 */
export interface DestinationPolicy {
  /** Without the colon. */
  readonly schemes: readonly string[];
  /** Whether addresses outside the public Internet are allowed in general. */
  readonly privateAddresses: boolean;
  /** Exceptions to `privateAddresses: false`. */
  readonly allow: readonly string[];
  /** When given, nothing else is reached. */
  readonly only?: readonly string[];
  /** Never reached, whatever the other rules say. */
  readonly deny: readonly string[];
  /** Hosts that only a runner in their own network may call: refused before their names are looked up. */
  readonly elsewhere?: readonly string[];
  /** When given, no other port is used. */
  readonly ports?: readonly number[];
  /** Whether a call may start a program on this host (MCP over stdio). */
  readonly processes: boolean;
}

const SCHEMES = ["http", "https", "ws", "wss", "grpc", "grpcs"] as const;

/** For documents that a user runs on the user's own machine. */
export const allowAll: DestinationPolicy = {
  schemes: SCHEMES,
  privateAddresses: true,
  allow: [],
  deny: [],
  processes: true,
};

/** The default: the public Internet, no programs. */
export const denyPrivate: DestinationPolicy = {
  schemes: SCHEMES,
  privateAddresses: false,
  allow: [],
  deny: [],
  processes: false,
};

/** Without any member: every host. */
export interface DestinationPattern {
  readonly host?: string;
  /** `.example.com` */
  readonly suffix?: string;
  readonly range?: AddressRange;
  readonly port?: number;
}

const PATTERN = /^(?:\[([^\]]+)\](\/\d+)?|([^:]+))(?::(\d{1,5}))?$/;
const NAME = /^(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/;

/** @throws Failure `invalid_request` for a text that is no pattern: a rule that is not understood must not be skipped */
export function parsePattern(text: string): DestinationPattern {
  if (text === "*") return {};
  const plain = parseRange(text);
  if (plain !== undefined) return { range: plainRange(plain) };
  const match = PATTERN.exec(text.toLowerCase());
  const port = match?.[4] === undefined ? {} : { port: Number(match[4]) };
  const name = match?.[3] ?? `${match?.[1]}${match?.[2] ?? ""}`;
  const range = parseRange(name);
  if (match !== null && range !== undefined) return { range: plainRange(range), ...port };
  if (match?.[3] !== undefined && NAME.test(name.replace(/^\*\./, "")))
    return name.startsWith("*.") ? { suffix: name.slice(1), ...port } : { host: name, ...port };
  throw fail("invalid_request", `${JSON.stringify(text)} is not a pattern of destinations`, {
    hint: "a host name, *.name, an address or a range such as 10.0.0.0/8, each with :port if wanted",
  });
}

/** Addresses are compared as IPv4 where they are IPv4, so the mapped form of a range has to become that too. */
function plainRange(range: AddressRange): AddressRange {
  const base = unmapped(range.base);
  return base.family === range.base.family || range.prefix < 96 ? range : { base, prefix: range.prefix - 96 };
}

/** A policy from parts, over {@link denyPrivate}; every pattern is checked. */
export function destinationPolicy(parts: Partial<DestinationPolicy>): DestinationPolicy {
  const policy = { ...denyPrivate, ...parts };
  for (const pattern of [
    ...policy.allow,
    ...policy.deny,
    ...(policy.only ?? []),
    ...(policy.elsewhere ?? []),
  ])
    parsePattern(pattern);
  return policy;
}
