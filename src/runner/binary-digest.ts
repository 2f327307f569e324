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

/** What tells one state of a file from another without reading it. */
export function identityOf(path: string): string {
  const { dev, ino, size, mtimeMs, ctimeMs } = statSync(path);
  return [path, dev, ino, size, mtimeMs, ctimeMs].join(" ");
}

/** The digest of a large file, read once for as long as this process lives and the file is the same. */
export function rememberedDigest(path: string): Promise<string> {
  const identity = identityOf(path);
  let pending = hashed.get(identity);
  if (pending === undefined) {
    pending = digestOfFile(path);
    hashed.set(identity, pending);
  }
  return pending;
}

/**
 * SHA-256 of the running executable. Hashing a hundred megabytes at each start would cost more than all the rest, so
 * it is remembered for as long as the file's identity, size and change time stay the same.
 */
export async function binaryDigest(journal: Journal, path = process.execPath): Promise<string> {
  const identity = identityOf(path);
  const stored = journal.fact(FACT)?.split("\n");
  if (stored?.[0] === identity && stored[1] !== undefined) return stored[1];
  const digest = await rememberedDigest(path);
  await journal.setFact(FACT, `${identity}\n${digest}`);
  return digest;
}

/** That of an approved file as it stands now: one that was exchanged under a running runner is found out. */
export async function currentDigest(approved: {
  readonly executable: string;
  readonly digest: string;
}): Promise<string> {
  try {
    return await rememberedDigest(approved.executable);
  } catch {
    return approved.digest;
  }
}
