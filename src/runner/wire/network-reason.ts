import { type Failure, fail } from "../../base/errors.ts";

/** What to do about the ways in which a controller is most often not reached. */
const REMEDIES: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/ECONNREFUSED|ConnectionRefused/, "nothing listens there"],
  [/ENOTFOUND|EAI_AGAIN|FailedToOpenSocket/, "the name is not known"],
  [
    /ECONNRESET/,
    "the connection was cut; an address of a controller with a certificate begins with https://",
  ],
  [/CERT_HAS_EXPIRED|expired/i, "its certificate has expired; whoever operates it has to renew it"],
  [
    /EPROTO/,
    "no TLS was agreed on; it speaks plain HTTP there, or wants a certificate (tls: {certificate, key} in runner.yaml, --tls-cert)",
  ],
];

/** Waiting mends none of these: somebody has to say whom this host trusts. */
const UNTRUSTED: readonly (readonly [pattern: RegExp, what: string, hint: string])[] = [
  [
    /ALTNAME_INVALID/,
    "its certificate is for another name",
    "use the name that stands in the certificate, or have one made for this address",
  ],
  [
    /self.signed|unable to (get|verify)|UNABLE_TO|SELF_SIGNED|certificate (verify|signature)/i,
    "its certificate is not trusted",
    "name the PEM file of the authority that signed it: tls: {ca: /path/ca.pem} in runner.yaml, or --tls-ca; where one is named, this certificate is not of it",
  ],
];

function partsOf(error: unknown): { text: string; said: string; code: string } {
  const { message, code = "" } = error as NodeJS.ErrnoException;
  const said = typeof message === "string" ? message : String(error);
  return { text: `${code} ${said}`, said, code };
}

/** Why no answer came, in one line for an operator: the platform's own words are for programmers. */
export function networkReason(error: unknown): string {
  const { text, said, code } = partsOf(error);
  const remedy = REMEDIES.find(([pattern]) => pattern.test(text))?.[1];
  const [cause] = said.split(/\. (?:Is the computer|For more information)/);
  return remedy === undefined ? (cause ?? said) : `${remedy} (${code === "" ? cause : code})`;
}

/** Why `url` gave no answer: `controller_untrusted` with what to do, else `unavailable`. */
export function networkFailure(url: string, error: unknown): Failure {
  const { text, said, code } = partsOf(error);
  const untrusted = UNTRUSTED.find(([pattern]) => pattern.test(text));
  if (untrusted === undefined || /CERT_HAS_EXPIRED/.test(text))
    return fail("unavailable", `${url}: ${networkReason(error)}`, { cause: error });
  const [, what, hint] = untrusted;
  return fail("controller_untrusted", `${url}: ${what} (${code === "" ? said : code})`, {
    hint,
    cause: error,
  });
}
