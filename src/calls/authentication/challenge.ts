/** One challenge of `WWW-Authenticate`; scheme and names of parameters in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PART = new RegExp(
  `\\s*,?\\s*(?:(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))|(${TOKEN})(?=\\s|,|$)(?:\\s+([A-Za-z0-9._~+/-]+=*)(?=\\s*(?:,|$)))?)`,
  "y",
);

/** Several challenges in one header (RFC 9110, 11.6.1); reading stops at what is not one. */
export function parseChallenges(header: string): Challenge[] {
  const found: { scheme: string; parameters: Record<string, string> }[] = [];
  PART.lastIndex = 0;
  while (PART.lastIndex < header.length) {
    const match = PART.exec(header);
    if (match === null) break;
    const [, name, quoted, plain, scheme] = match;
    if (scheme !== undefined) found.push({ scheme: scheme.toLowerCase(), parameters: Object.create(null) });
    else if (name !== undefined && found.length > 0)
      found.at(-1)!.parameters[name.toLowerCase()] = plain ?? quoted!.replace(/\\(.)/g, "$1");
  }
  return found;
}
