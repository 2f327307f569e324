/** What to do about the ways in which a controller is most often not reached. */
const REMEDIES: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/ECONNREFUSED|ConnectionRefused/, "nothing listens there"],
  [/ENOTFOUND|EAI_AGAIN|FailedToOpenSocket/, "the name is not known"],
  [
    /ECONNRESET/,
    "the connection was cut; an address of a controller with a certificate begins with https://",
  ],
  [
    /self.signed|unable to (get|verify)|UNABLE_TO|certificate/i,
    "its certificate is not trusted; name its authority with --tls-ca, or check --tls-cert",
  ],
];

/** Why no answer came, in one line for an operator: the platform's own words are for programmers. */
export function networkReason(error: unknown): string {
  const { message, code = "" } = error as NodeJS.ErrnoException;
  const said = typeof message === "string" ? message : String(error);
  const remedy = REMEDIES.find(([pattern]) => pattern.test(`${code} ${said}`))?.[1];
  const [cause] = said.split(/\. (?:Is the computer|For more information)/);
  return remedy === undefined ? (cause ?? said) : `${remedy} (${code === "" ? cause : code})`;
}
