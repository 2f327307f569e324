/** Shorter texts stand in ordinary words; masking them would only garble the message. */
const SHORTEST = 3;

/** Replace each secret, also as it stands in addresses and basic credentials, by `***`. */
export function mask(text: string, secrets: Iterable<string>): string {
  let result = text;
  const longestFirst = [...secrets]
    .filter((secret) => secret.length >= SHORTEST)
    .sort((a, b) => b.length - a.length);
  for (const secret of longestFirst)
    for (const form of new Set([
      secret,
      encodeURIComponent(secret.toWellFormed()),
      Buffer.from(secret).toString("base64"),
    ]))
      result = result.replaceAll(form, "***");
  return result;
}

const PUBLIC_KEYS = new Set([
  "authority",
  "grant",
  "authentication",
  "encoding",
  "issuers",
  "scopes",
  "audiences",
  "type",
  "id",
  "username",
  "endpoints",
]);

/** Every text in an authentication policy that is not plainly public. */
export function* secretsOf(value: unknown): Generator<string> {
  if (typeof value === "string") yield value;
  else if (typeof value === "object" && value !== null)
    for (const [key, member] of Object.entries(value)) if (!PUBLIC_KEYS.has(key)) yield* secretsOf(member);
}
