import { statSync } from "node:fs";
import { open } from "node:fs/promises";
import type { Journal } from "./journal/journal.ts";

const FACT = "binary";
/** The same, for a process that runs more than one runner. */
const hashed = new Map<string, Promise<string>>();

/** `sha256:` and the digest of a file's bytes. */
export async function digestOfFile(path: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  const file = await open(path);
  try {
    const block = new Uint8Array(2 << 20);
    for (;;) {
      const { bytesRead } = await file.read(block);
      if (bytesRead === 0) break;
      hasher.update(block.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
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
    pending = digestOfFile(path);
    hashed.set(identity, pending);
  }
  const digest = await pending;
  await journal.setFact(FACT, `${identity}\n${digest}`);
  return digest;
}
