import { hostname, networkInterfaces } from "node:os";
import { fail } from "../base/errors.ts";

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

const bracketed = (address: string) => (address.includes(":") ? `[${address}]` : address);

/** Whether only this machine reaches an address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** The names under which a server may be called that listens on `host`: for a wildcard those of this machine. */
export function hostNames(host: string, more: readonly string[]): ReadonlySet<string> {
  const names = new Set([bracketed(host), ...more]);
  if (host === "0.0.0.0" || host === "::") {
    names.add(hostname().toLowerCase());
    for (const addresses of Object.values(networkInterfaces()))
      for (const { address } of addresses ?? []) names.add(bracketed(address));
  }
  return names;
}

/** The host that was found good last: clients say the same one again and again. */
let lastHost: string | undefined;
let lastAllowed: ReadonlySet<string> | undefined;

/**
 * Refuse what a web page of another site could send: a `Host` that is not ours (DNS rebinding) and a foreign `Origin`.
 * @throws Failure `forbidden`
 */
export function checkOrigin(request: Request, allowedHosts: ReadonlySet<string>): void {
  const { headers } = request;
  const host = headers.get("host") ?? "";
  const origin = headers.get("origin");
  if (origin === null && host === lastHost && allowedHosts === lastAllowed) return;
  const name = host.replace(/:\d+$/, "").toLowerCase();
  if (!LOOPBACK.has(name) && !allowedHosts.has(name)) {
    throw fail("forbidden", `the host ${JSON.stringify(name)} is not served here`, {
      hint: "call the address that `lightflow up` printed, or start it with --name",
    });
  }
  lastHost = host;
  lastAllowed = allowedHosts;
  if (origin !== null && origin !== `http://${host}` && origin !== `https://${host}`) {
    throw fail("forbidden", `the origin ${origin} may not call this server`);
  }
}
