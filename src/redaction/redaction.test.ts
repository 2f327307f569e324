import { expect, test } from "bun:test";
import { needlesOf } from "./encodings.ts";
import { createRedaction, MASK } from "./redaction.ts";

/** A small seeded generator, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4_294_967_296;
  };
}

/**
 * The specification, written for clarity: every match of every needle, whatever line breaks stand within, overlapping
 * ones joined, each joined run one mask.
 */
function maskPlainly(text: Buffer, needles: Uint8Array[]): string {
  const spans: [number, number][] = [];
  const places = [...text.keys()].filter((at) => text[at] !== 10 && text[at] !== 13);
  const joined = Buffer.from(places.map((at) => text[at]!));
  for (let at = 0; at < joined.length; at++) {
    for (const needle of needles) {
      if (joined.subarray(at, at + needle.length).equals(needle)) {
        spans.push([places[at]!, places[at + needle.length - 1]! + 1]);
      }
    }
  }
  spans.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  let out = "";
  let at = 0;
  for (let i = 0; i < spans.length; ) {
    let [start, end] = spans[i]!;
    for (i++; i < spans.length && spans[i]![0] < end; i++) end = Math.max(end, spans[i]![1]);
    out += text.subarray(at, start).toString("latin1") + MASK;
    at = end;
  }
  return out + text.subarray(at).toString("latin1");
}

test("any text cut into any chunks is masked as the plain specification says", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const next = random(seed * 7919);
    const pick = (n: number) => Math.floor(next() * n);
    // A tiny alphabet makes overlaps, repeats and near misses frequent.
    const word = (n: number) => Array.from({ length: n }, () => "ab/'\n\r"[pick(seed % 2 ? 2 : 6)]).join("");
    const secrets = Array.from({ length: 1 + pick(3) }, () => word(6 + pick(6)));
    const needles = needlesOf(secrets);
    let text = "";
    while (text.length < 200) {
      const needle = needles[pick(needles.length)];
      text += next() < 0.4 && needle ? Buffer.from(needle).toString("latin1") : word(1 + pick(8));
    }
    const bytes = Buffer.from(text, "latin1");
    const stream = createRedaction(secrets).stream();
    let out = "";
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + pick(seed % 3 === 0 ? 3 : 40);
      out += Buffer.from(stream.push(bytes.subarray(at, end))).toString("latin1");
      at = end;
    }
    out += Buffer.from(stream.flush()).toString("latin1");
    expect({ seed, out }).toEqual({ seed, out: maskPlainly(bytes, needles) });
  }
});

const SECRET = `p&ss "wörd"/it's $5\\`;
const neighbours = ["", "x", "xy"];

test("every encoding of a secret is masked, wherever it stands", () => {
  const redaction = createRedaction([SECRET]);
  const bytes = Buffer.from(SECRET);
  const shell = SECRET.replace(/[^A-Za-z0-9_./:=@%^,+-]/g, "\\$&");
  for (const form of [
    SECRET,
    JSON.stringify({ password: SECRET }),
    encodeURIComponent(SECRET),
    `a=${new URLSearchParams({ q: SECRET })}`,
    bytes.toString("hex"),
    bytes.toString("hex").toUpperCase(),
    `'${SECRET.replaceAll("'", "'\\''")}'`,
    shell,
    SECRET.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("'", "&apos;"),
  ]) {
    expect(redaction.text(`before ${form} after`)).toMatch(/^before .*\*\*\*.* after$/);
    expect(redaction.text(form)).not.toContain(form);
  }
  for (const before of neighbours) {
    for (const after of neighbours) {
      for (const alphabet of ["base64", "base64url"] as const) {
        const text = Buffer.from(before + SECRET + after).toString(alphabet);
        const masked = redaction.text(text);
        expect(masked).toContain(MASK);
        // Only the characters of the neighbours, and those that share bits with them, stay.
        expect(masked.length).toBeLessThanOrEqual(MASK.length + 3 + 6);
      }
    }
  }
});

test("what shells, expressions and clients leave of a secret is masked: doubled quotes, cut ampersands, an address's password", () => {
  const redact = (secret: string, text: string) => createRedaction([secret]).text(text);
  expect(redact("it's one's own", "x = 'it''s one''s own'")).toBe(`x = '${MASK}'`);
  expect(redact('say "hello" now', 'x = "say ""hello"" now"')).toBe(`x = "${MASK}"`);
  expect(redact("'quoted-value'", "quoted-value")).toBe(MASK);
  expect(redact("cost$100", "cost`$100")).toBe(MASK);
  expect(redact("before-it&after-it", "before-it&\n+ after-it")).toBe(`${MASK}\n+ ${MASK}`);
  const address = "postgres://user:p%40ssw0rd@host/db";
  expect(redact(address, "p%40ssw0rd or p@ssw0rd")).toBe(`${MASK} or ${MASK}`);
  // An address without one, and one that cannot be decoded, are secrets like others.
  expect(redact("https://host/a:b@c", "host")).toBe("host");
  expect(redact("ftp://user:%E0%A4%A@host", "%E0%A4%A")).toBe(MASK);
});

test("a secret inside JSON values and member names is masked; short secrets are reported, not masked", () => {
  const redaction = createRedaction(["hunter2-hunter2", "abc"]);
  expect(redaction.tooShort).toBe(1);
  expect(redaction.json({ "k-hunter2-hunter2": ["x hunter2-hunter2 y", 1, null, { deep: "abc" }] })).toEqual({
    "k-***": ["x *** y", 1, null, { deep: "abc" }],
  });
});

test("each line of a secret of several lines is masked on its own", () => {
  const redaction = createRedaction(["-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\nq8s7d6f5\n-----END KEY-----\n"]);
  expect(redaction.text("| MIIEpAIBAAKCAQEA\n| q8s7d6f5")).toBe("| ***\n| ***");
});

test("line breaks within a secret or an encoding of it hide nothing: wrapped base64, a fold, a letter a line", () => {
  const secret = Array.from({ length: 40 }, (_, i) => `part${i * 7919}`).join("");
  const redaction = createRedaction([secret, "short-enough"]);
  const base64 = Buffer.from(`x${secret}`).toString("base64").replace(/.{76}/g, "$&\r\n");
  expect(base64).toContain("\n");
  const wrapped = redaction.text(`before\n${base64}\nafter\n`);
  expect(wrapped).toMatch(/^before\n[A-Za-z0-9]{0,2}\*\*\*[A-Za-z0-9=]{0,4}\nafter\n$/);
  expect(redaction.text(`${secret.replace(/.{60}/g, "$&\n")}\n`)).toBe("***\n");
  expect(redaction.text([..."short-enough"].join("\n"))).toBe("***");
});

test("a beginning of a secret before endless line breaks is not held back for ever", () => {
  const stream = createRedaction(["abcdefgh"]).stream();
  let out = 0;
  for (let i = 0; i < 64; i++) out += stream.push(Buffer.from(i === 0 ? "abc" : "\n".repeat(8192))).length;
  expect(out).toBeGreaterThan(3 + 62 * 8192 - 131_072);
  const rest = Buffer.concat([stream.push(Buffer.from("abcdefgh")), stream.flush()]).toString();
  expect(rest).toEndWith("***");
});
