/** Shorter secrets are not masked: they would blank out ordinary text, and are weak anyway. */
export const MINIMUM_SECRET_BYTES = 6;

/**
 * The base64 text of a secret inside longer data: what stands before it shifts it by 0, 1 or 2 bytes, and the
 * characters that share bits with the neighbours are cut off at both ends.
 */
function base64Shifts(secret: Uint8Array, alphabet: "base64" | "base64url"): string[] {
  return [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), secret]).toString(alphabet);
    const first = Math.ceil((shift * 8) / 6);
    const end = Math.floor(((shift + secret.length) * 8) / 6);
    return text.slice(first, end);
  });
}

const asciiJson = (text: string): string =>
  JSON.stringify(text)
    .slice(1, -1)
    .replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

const strictUri = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

const xml = (text: string): string =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&apos;");

function textForms(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1);
  const uri = text.isWellFormed() ? encodeURIComponent(text) : text;
  return [
    text,
    json,
    json.replaceAll("/", "\\/"),
    asciiJson(text),
    uri,
    text.isWellFormed() ? strictUri(text) : text,
    new URLSearchParams([["", text]]).toString().slice(1),
    uri.replace(/%[0-9A-F]{2}/g, (octet) => octet.toLowerCase()),
    // Inside single quotes, inside double quotes, and as `printf %q` writes it.
    text.replaceAll("'", "'\\''"),
    text.replaceAll("'", `'"'"'`),
    text.replace(/[\\"$`]/g, "\\$&"),
    text.replace(/[^A-Za-z0-9_./:=@%^,+-]/g, "\\$&"),
    // Quotes doubled, as expressions, SQL and PowerShell write them; and a value whose own quotes were taken off.
    text.replaceAll("'", "''"),
    text.replaceAll('"', '""'),
    text.replace(/^(["'])(.*)\1$/s, "$2"),
    // PowerShell's escape, and what its error messages leave of a value on both sides of an ampersand.
    text.replace(/[`"$]/g, "`$&"),
    text.slice(0, text.lastIndexOf("&") + 1),
    text.includes("&") ? text.slice(text.lastIndexOf("&") + 1) : "",
    xml(text),
    ...passwordOf(text),
  ];
}

/** The password of a secret that is an address: clients print it without the rest. */
function passwordOf(text: string): string[] {
  const written = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@]*?:([^/?#]*)@/i.exec(text)?.[1];
  if (written === undefined) return [];
  try {
    return [written, decodeURIComponent(written)];
  } catch {
    return [written];
  }
}

/**
 * Every byte sequence under which a secret may show up in output: itself, each long enough line of it, and the
 * encodings that tools commonly apply, all without their line breaks. A transformation beyond these (encryption,
 * reversal, the columns of a hex dump) cannot be recognised; that limit is documented.
 */
export function needlesOf(secrets: Iterable<string>): Uint8Array[] {
  const found = new Map<string, Uint8Array>();
  const add = (form: Uint8Array): void => {
    const bytes = form.filter((byte) => byte !== 10 && byte !== 13);
    if (bytes.length >= MINIMUM_SECRET_BYTES) found.set(Buffer.from(bytes).toString("latin1"), bytes);
  };
  for (const secret of secrets) {
    const lines = secret.includes("\n") ? secret.split(/\r?\n/) : [];
    for (const text of [secret, secret.trim(), ...lines, ...lines.map((line) => line.trim())]) {
      const bytes = Buffer.from(text);
      if (bytes.length < MINIMUM_SECRET_BYTES) continue;
      for (const form of textForms(text)) add(Buffer.from(form));
      for (const form of base64Shifts(bytes, "base64")) add(Buffer.from(form));
      for (const form of base64Shifts(bytes, "base64url")) add(Buffer.from(form));
      add(Buffer.from(bytes.toString("hex")));
      add(Buffer.from(bytes.toString("hex").toUpperCase()));
    }
  }
  return [...found.values()];
}
