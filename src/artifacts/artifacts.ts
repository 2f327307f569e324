import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fail } from "../base/errors.ts";
import { makePrivateDirectory, syncDirectory } from "../base/files.ts";
import { randomToken } from "../base/ids.ts";

export interface StoredArtifact {
  /** 64 lower-case hex digits: the only name an artifact has on disk. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

export type ArtifactBytes = Uint8Array | Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** Content-addressed bytes. Several processes may share one directory. */
export interface Artifacts {
  /**
   * Store bytes durably; storing what is already there is a success.
   * @throws Failure `artifact_digest_mismatch`, `payload_too_large`, `io`; nothing is left behind
   */
  put(data: ArtifactBytes, expectedSha256?: string, maximumBytes?: number): Promise<StoredArtifact>;
  /** Where the bytes are, whether or not they exist. @throws Failure `artifact_not_found` for anything but 64 hex */
  path(sha256: string): string;
  stat(sha256: string): StoredArtifact | null;
  has(sha256: string): boolean;
  /** A lazy view of the bytes, `end` exclusive. @throws Failure `artifact_not_found` */
  open(sha256: string, range?: { readonly start: number; readonly end?: number }): Blob;
  /** Whether something was removed. */
  remove(sha256: string): boolean;
}

const HEX = /^[0-9a-f]{64}$/;
/** A temporary file this old belongs to a process that is gone: no upload takes that long. */
const STALE_MS = 24 * 3_600_000;

function removeStale(directory: string): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat !== undefined && Date.now() - stat.mtimeMs > STALE_MS) rmSync(path, { force: true });
  }
}

async function* chunksOf(data: ArtifactBytes): AsyncIterable<Uint8Array> {
  if (data instanceof Uint8Array) yield data;
  else if (data instanceof Blob) yield* data.stream();
  else yield* data as AsyncIterable<Uint8Array>;
}

/** Open (and make) an artifact directory: `sha256/<two hex>/<64 hex>` beside `temporary/`. */
export function openArtifacts(directory: string): Artifacts {
  const temporaryDirectory = join(directory, "temporary");
  const root = join(directory, "sha256");
  makePrivateDirectory(temporaryDirectory);
  makePrivateDirectory(root);
  removeStale(temporaryDirectory);

  const path = (sha256: string): string => {
    if (!HEX.test(sha256)) throw fail("artifact_not_found", "an artifact is named by 64 hex digits");
    return join(root, sha256.slice(0, 2), sha256);
  };

  const stat = (sha256: string): StoredArtifact | null => {
    const found = statSync(path(sha256), { throwIfNoEntry: false });
    return found?.isFile() ? { sha256, size: found.size } : null;
  };

  /** Give the bytes their name: after this returns, a power cut cannot take them away. */
  const publish = async (temporary: string, sha256: string): Promise<void> => {
    const shard = join(root, sha256.slice(0, 2));
    if (!existsSync(shard)) {
      await mkdir(shard, { recursive: true, mode: 0o700 });
      syncDirectory(root);
    }
    await rename(temporary, path(sha256));
    syncDirectory(shard);
  };

  const put: Artifacts["put"] = async (data, expectedSha256, maximumBytes = Number.POSITIVE_INFINITY) => {
    const temporary = join(temporaryDirectory, randomToken(12));
    const file = await open(temporary, "wx", 0o600);
    try {
      const hasher = new Bun.CryptoHasher("sha256");
      let size = 0;
      try {
        for await (const chunk of chunksOf(data)) {
          size += chunk.length;
          if (size > maximumBytes) {
            throw fail("payload_too_large", `the artifact is over ${maximumBytes} bytes`);
          }
          hasher.update(chunk);
          for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
        }
        const sha256 = hasher.digest("hex");
        if (expectedSha256 !== undefined && expectedSha256 !== sha256) {
          throw fail("artifact_digest_mismatch", `the bytes are ${sha256}, announced was ${expectedSha256}`, {
            details: { expected: expectedSha256, actual: sha256 },
          });
        }
        await file.sync();
        await publish(temporary, sha256);
        return { sha256, size };
      } finally {
        await file.close();
      }
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  };

  return {
    put,
    path,
    stat,
    has: (sha256) => stat(sha256) !== null,
    open(sha256, range) {
      const found = stat(sha256);
      if (found === null) throw fail("artifact_not_found", `no artifact ${sha256}`);
      const file = Bun.file(path(sha256));
      return range === undefined
        ? file
        : file.slice(range.start, Math.min(range.end ?? found.size, found.size));
    },
    remove(sha256) {
      const existed = stat(sha256) !== null;
      if (existed) rmSync(path(sha256), { force: true });
      return existed;
    },
  };
}
