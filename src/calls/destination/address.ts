import { isIPv4, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";

/** An IP address as a number of 32 or 128 bits. */
export interface Address {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

export interface AddressRange {
  readonly base: Address;
  readonly prefix: number;
}

/** The canonical notations alone: no decimal, octal, hexadecimal or short forms, no zone. Brackets are taken off. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, bits: ipv4Bits(text) };
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  if (!isIPv6(bare) || bare.includes("%")) return undefined;
  // The address parser of URLs writes an embedded IPv4 tail as two groups, and each group without leading zeros.
  const [head, tail] = new URL(`http://[${bare}]/`).hostname.slice(1, -1).split("::");
  const left = head === "" ? [] : head!.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
  return {
    family: 6,
    bits: groups.reduce((bits, group) => (bits << 16n) | BigInt(Number.parseInt(group, 16)), 0n),
  };
}

function ipv4Bits(text: string): bigint {
  return text.split(".").reduce((bits, part) => (bits << 8n) | BigInt(Number(part)), 0n);
}

/** `10.0.0.0/8`, `fd00::/8`, or one address. */
export function parseRange(text: string): AddressRange | undefined {
  const [address, prefix, more] = text.split("/");
  const base = parseAddress(address!);
  if (base === undefined || more !== undefined) return undefined;
  const size = base.family === 4 ? 32 : 128;
  if (prefix === undefined) return { base, prefix: size };
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > size) return undefined;
  return { base, prefix: Number(prefix) };
}

export function inRange(address: Address, range: AddressRange): boolean {
  if (address.family !== range.base.family) return false;
  const shift = BigInt((address.family === 4 ? 32 : 128) - range.prefix);
  return address.bits >> shift === range.base.bits >> shift;
}

const ranges = (...texts: string[]) => texts.map((text) => parseRange(text)!);

/** IANA "IPv4 Special-Purpose Address Registry" without what is reachable from everywhere, and multicast. */
const IPV4_SPECIAL = ranges(
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
);

const IPV6_GLOBAL = parseRange("2000::/3")!;
/** Inside the global block: protocol assignments with Teredo, documentation, 6to4 (which hides an IPv4 address). */
const IPV6_SPECIAL = ranges("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20");
/** The last 32 bits are an IPv4 address: mapped, and translated by the network (RFC 6052). */
const IPV6_WITH_IPV4 = ranges("::ffff:0:0/96", "64:ff9b::/96");

/** Whether an address belongs to the public Internet; of IPv6 forms that carry an IPv4 address, that one counts. */
export function isPublicAddress(address: Address): boolean {
  const within = (range: AddressRange) => inRange(address, range);
  if (address.family === 4) return !IPV4_SPECIAL.some(within);
  if (IPV6_WITH_IPV4.some(within)) return isPublicAddress({ family: 4, bits: address.bits & 0xffff_ffffn });
  return within(IPV6_GLOBAL) && !IPV6_SPECIAL.some(within);
}

/** Whether an address is this very host's, or that of its link: loopback, unspecified, link-local, its interfaces'. */
export function isLocalAddress(address: Address): boolean {
  const plain = unmapped(address);
  return LOCAL.some((range) => inRange(plain, range)) || isOwn(plain);
}

/** Asked each time: an address comes and goes with its interface. */
const isOwn = ({ family, bits }: Address): boolean =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .some((own) => {
      const parsed = parseAddress(own.address);
      return parsed?.family === family && parsed.bits === bits;
    });

const LOCAL = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::/128", "::1/128", "fe80::/10"].map(
  (text) => parseRange(text)!,
);

/** An IPv4-mapped IPv6 address as the IPv4 address that the kernel will use, so that rules meet it. */
export function unmapped(address: Address): Address {
  return inRange(address, IPV6_WITH_IPV4[0]!) ? { family: 4, bits: address.bits & 0xffff_ffffn } : address;
}
