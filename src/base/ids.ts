/** A new UUIDv7: sortable by creation time. */
export type NewId = () => string;

export const newId: NewId = () => Bun.randomUUIDv7();

/** `bytes` random bytes as base64url, for nonces and tokens. */
export function randomToken(bytes = 32): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("base64url");
}

/** Whether two texts are equal, in time that does not depend on where they differ. */
export function equalSecret(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let i = 0; i < left.length; i++) difference |= left[i]! ^ right[i]!;
  return difference === 0;
}
