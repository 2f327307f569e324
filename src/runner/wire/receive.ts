import { open, rename, rm } from "node:fs/promises";
import { fail } from "../../base/errors.ts";

/**
 * Write what comes in to a file whose name appears only when the bytes have their digest.
 * @throws Failure `artifact_digest_mismatch`; nothing is left behind
 */
export async function receive(body: AsyncIterable<Uint8Array>, sha256: string, path: string): Promise<void> {
  const partial = `${path}.part`;
  const hasher = new Bun.CryptoHasher("sha256");
  try {
    const file = await open(partial, "w", 0o600);
    try {
      for await (const bytes of body) {
        hasher.update(bytes);
        await file.writeFile(bytes);
      }
    } finally {
      await file.close();
    }
    if (hasher.digest("hex") !== sha256) {
      throw fail("artifact_digest_mismatch", `the bytes of artifact ${sha256} are not those of its digest`);
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
