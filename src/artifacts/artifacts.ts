import { constants, existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
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

export interface Upload {
  /** Whose it is: uploads of others have their own bytes. */
  readonly key: string;
  readonly sha256: string;
  /** Of the whole. */
  readonly size: number;
  /** Where `data` begins. */
  readonly offset: number;
}

/** Content-addressed bytes. Several processes may share one directory. */
export interface Artifacts {
  /**
   * Store bytes durably; storing what is already there is a success.
   * @throws Failure `artifact_digest_mismatch`, `payload_too_large`, `io`; nothing is left behind
   */
  put(data: ArtifactBytes, expectedSha256?: string, maximumBytes?: number): Promise<StoredArtifact>;
  /**
   * Go on with an upload that may take several tries; the last byte makes it an artifact. What a broken connection has
   * brought stays for the next try, for a day.
   * @throws Failure `unavailable` when the bytes end early or another try still writes, `conflict` with `details.offset`
   * when bytes before `offset` are missing, `payload_too_large`, `artifact_digest_mismatch`: the bytes are then set aside
   */
  append(data: ArtifactBytes, upload: Upload): Promise<StoredArtifact>;
  /** How many bytes of an upload are here: where to go on. */
  received(upload: Pick<Upload, "key" | "sha256">): number;
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

/** Bytes that were not what they were announced as: for whoever looks into it. */
const QUARANTINE_MS = 7 * 24 * 3_600_000;

function removeStale(directory: string, olderMs = STALE_MS): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat !== undefined && Date.now() - stat.mtimeMs > olderMs) rmSync(path, { force: true });
  }
}

async function hashOf(file: FileHandle, size: number): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  const block = new Uint8Array(1 << 20);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(block, 0, block.length, at);
    if (bytesRead === 0) break;
    hasher.update(block.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hasher.digest("hex");
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
  const quarantine = join(directory, "quarantine");
  makePrivateDirectory(quarantine);
  removeStale(quarantine, QUARANTINE_MS);
  const writing = new Set<string>();

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

  const partial = ({ key, sha256 }: Pick<Upload, "key" | "sha256">): string =>
    join(
      temporaryDirectory,
      `part-${new Bun.CryptoHasher("sha256").update(`${key}\0${sha256}`).digest("hex")}`,
    );

  const append: Artifacts["append"] = async (data, upload) => {
    const { sha256, size, offset } = upload;
    const known = stat(sha256);
    if (known?.size === size) return known;
    const path_ = partial(upload);
    if (writing.has(path_)) throw fail("unavailable", "an earlier try of this upload has not ended yet");
    writing.add(path_);
    const file = await open(path_, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      const have = (await file.stat()).size;
      if (offset > have)
        throw fail("conflict", `the upload has ${have} bytes, not ${offset}`, { details: { offset: have } });
      await file.truncate(offset);
      let at = offset;
      for await (const chunk of chunksOf(data)) {
        if (at + chunk.length > size)
          throw fail("payload_too_large", `the upload is over the ${size} bytes that it announced`);
        for (let from = 0; from < chunk.length; ) {
          from += (await file.write(chunk, from, chunk.length - from, at + from)).bytesWritten;
        }
        at += chunk.length;
      }
      if (at < size) throw fail("unavailable", `the upload ended after ${at} of ${size} bytes`);
      const actual = await hashOf(file, size);
      await file.sync();
      if (actual !== sha256) {
        await rename(path_, join(quarantine, `${sha256}-${randomToken(6)}`));
        throw fail("artifact_digest_mismatch", `the bytes are ${actual}, announced was ${sha256}`, {
          details: { expected: sha256, actual },
        });
      }
      await publish(path_, sha256);
      return { sha256, size };
    } finally {
      await file.close();
      writing.delete(path_);
    }
  };

  return {
    put,
    append,
    received: (upload) => statSync(partial(upload), { throwIfNoEntry: false })?.size ?? 0,
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
