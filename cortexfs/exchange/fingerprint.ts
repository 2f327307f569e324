/**
 * `fnv1a64:` and 16 hex digits over format, NUL, id, NUL, body: the request fingerprint of the file contract. It tells
 * a repeat from a new request; it is no protection against forgery.
 */
export function fingerprint(format: string, id: string, body: Uint8Array): string {
  // The 64-bit state as four 16-bit limbs: products stay exact in a double, and no BigInt is made for each byte.
  let a = 0x2325;
  let b = 0x8422;
  let c = 0x9ce4;
  let d = 0xcbf2;
  const feed = (bytes: Uint8Array): void => {
    for (let i = 0; i < bytes.length; i++) {
      a ^= bytes[i]!;
      // Times 2^40 + 0x1b3.
      const a2 = a * 0x1b3;
      const b2 = b * 0x1b3 + (a2 >>> 16);
      const c2 = c * 0x1b3 + (a << 8) + (b2 >>> 16);
      const d2 = d * 0x1b3 + (b << 8) + (c2 >>> 16);
      a = a2 & 0xffff;
      b = b2 & 0xffff;
      c = c2 & 0xffff;
      d = d2 & 0xffff;
    }
  };
  feed(Buffer.from(`${format}\0${id}\0`));
  feed(body);
  const hex = (limb: number): string => limb.toString(16).padStart(4, "0");
  return `fnv1a64:${hex(d)}${hex(c)}${hex(b)}${hex(a)}`;
}
