import { createReadStream, statSync } from "node:fs";
import type { Journal } from "./journal/journal.ts";

const FACT = "binary";
/** The same, for a process that runs more than one runner. */
const hashed = new Map<string, Promise<string>>();

async function hash(path: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const block of createReadStream(path, { highWaterMark: 1 << 20 }))
    hasher.update(block as Uint8Array);
  return `sha256:${hasher.digest("hex")}`;
}

/**
 * SHA-256 of the running executable. Hashing a hundred megabytes at each start would cost more than all the rest, so
 * it is remembered for as long as the file's identity, size and change time stay the same.
 */
export async function binaryDigest(journal: Journal, path = process.execPath): Promise<string> {
  const stat = statSync(path);
  const identity = [path, stat.dev, stat.ino, stat.size, stat.mtimeMs, stat.ctimeMs].join(" ");
  const stored = journal.fact(FACT)?.split("\n");
  if (stored?.[0] === identity && stored[1] !== undefined) return stored[1];
  let pending = hashed.get(identity);
  if (pending === undefined) {
    pending = hash(path);
    hashed.set(identity, pending);
  }
  const digest = await pending;
  await journal.setFact(FACT, `${identity}\n${digest}`);
  return digest;
}
