import { fail } from "../base/errors.ts";

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

/**
 * Refuse what a web page of another site could send: a `Host` that is not ours (DNS rebinding) and a foreign `Origin`.
 * @throws Failure `forbidden`
 */
export function checkOrigin(request: Request, allowedHosts: ReadonlySet<string>): void {
  const host = request.headers.get("host") ?? "";
  const name = host.replace(/:\d+$/, "");
  if (!LOOPBACK.has(name) && !allowedHosts.has(name)) {
    throw fail("forbidden", `the host ${JSON.stringify(name)} is not served here`, {
      hint: "call the address that `lightflow up` printed",
    });
  }
  const origin = request.headers.get("origin");
  if (origin !== null && origin !== `http://${host}` && origin !== `https://${host}`) {
    throw fail("forbidden", `the origin ${origin} may not call this server`);
  }
}
