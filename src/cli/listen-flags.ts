import { fail } from "../base/errors.ts";
import type { ServerTls } from "../base/listen.ts";

/** Where a role listens: the flags of every command that does. */
export const HOST_FLAG = {
  type: "string",
  value: "ADDRESS",
  about: "address to listen on",
  defaultText: "127.0.0.1",
} as const;

export const portFlag = <Default extends string>(about: string, defaultText: Default) =>
  ({ type: "integer", value: "PORT", minimum: 0, maximum: 65_535, about, defaultText }) as const;

/** A certificate to serve with. */
export const TLS_FLAGS = {
  "tls-cert": { type: "string", value: "FILE", about: "PEM certificate with its chain: serve HTTPS" },
  "tls-key": { type: "string", value: "FILE", about: "PEM key of the certificate" },
} as const;

/** What {@link TLS_FLAGS} say. @throws Failure `usage` for one half of a certificate */
export function tlsOf(flags: {
  readonly "tls-cert": string | undefined;
  readonly "tls-key": string | undefined;
}): { readonly tls?: ServerTls } {
  const { "tls-cert": certificate, "tls-key": key } = flags;
  if ((certificate === undefined) !== (key === undefined)) {
    throw fail("usage", "--tls-cert and --tls-key go together", { hint: "give both" });
  }
  return certificate === undefined || key === undefined ? {} : { tls: { certificate, key } };
}

/** Whom the gateway answers, and how: flags of `up` and `serve`. */
export const GATEWAY_FLAGS = {
  name: {
    type: "list",
    value: "HOST",
    about: "a further name under which clients call it, behind a proxy say; may be repeated",
  },
  "require-token": { type: "boolean", about: "ask for a token on the loopback address too" },
  ...TLS_FLAGS,
} as const;

/** What {@link GATEWAY_FLAGS} say. @throws Failure `usage` for one half of a certificate */
export function gatewayOptions(flags: {
  readonly name: readonly string[];
  readonly "require-token": boolean;
  readonly "tls-cert": string | undefined;
  readonly "tls-key": string | undefined;
}) {
  return {
    names: flags.name.map((name) => name.toLowerCase()),
    requireToken: flags["require-token"],
    ...tlsOf(flags),
  };
}
