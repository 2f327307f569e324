import { constants, existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fail } from "../base/errors.ts";
import { makePrivateDirectory, syncDirectory } from "../base/files.ts";
import { randomToken } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { removalsIn } from "./removals.ts";
import { syncAside } from "./sync-aside.ts";

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
  /** Whether it may learn that the bytes are here already: else all of them have to come. */
  readonly mayKnow: boolean;
}

/** Content-addressed bytes. Several processes may share one directory. */
export interface Artifacts {
  /**
   * Store bytes durably; storing what is already there is a success.
   * @param key whose they are, for `brought`
   * @throws Failure `artifact_digest_mismatch`, `payload_too_large`, `io`; nothing is left behind
   */
  put(
    data: ArtifactBytes,
    expectedSha256?: string,
    maximumBytes?: number,
    key?: string,
  ): Promise<StoredArtifact>;
  /**
   * Go on with an upload that may take several tries; the last byte makes it an artifact. What a broken connection has
   * brought stays for the next try, for a day.
   * @throws Failure `unavailable` when the bytes end early or another try still writes, `conflict` with `details.offset`
   * when bytes before `offset` are missing, `payload_too_large`, `artifact_digest_mismatch`: the bytes are then set aside
   */
  append(data: ArtifactBytes, upload: Upload): Promise<StoredArtifact>;
  /** How many bytes of an upload are here: where to go on. */
  received(upload: Pick<Upload, "key" | "sha256">): number;
  /** Whether whoever has this key brought all of these bytes: naming a digest is no proof of having them. */
  brought(upload: Pick<Upload, "key" | "sha256">): boolean;
  /** Needed no longer; else it goes after a day, when a process starts. */
  forgetBrought(upload: Pick<Upload, "key" | "sha256">): void;
  /** Where the bytes are, whether or not they exist. @throws Failure `artifact_not_found` for anything but 64 hex */
  path(sha256: string): string;
  stat(sha256: string): StoredArtifact | null;
  has(sha256: string): boolean;
  /** A lazy view of the bytes, `end` exclusive. @throws Failure `artifact_not_found` */
  open(sha256: string, range?: { readonly start: number; readonly end?: number }): Blob;
  /**
   * Say that the bytes are about to be named: a removal that has begun, in whatever process, gives them back.
   * @returns null where they are not here, or are going: they have to be stored anew
   */
  keep(sha256: string): StoredArtifact | null;
  /**
   * Bytes in the order of their digests, those beyond one.
   * @returns also where the next page begins, null at the end
   */
  page(after: string, limit: number): { bytes: StoredBytes[]; after: string | null };
  /** Remove what broken connections have brought, and nobody went on with for a day. */
  removeAborted(): void;
  /**
   * Take the bytes out of the way of those who store or keep them; they can still be read. What a process that died has
   * begun is begun again. @returns null where there are none
   */
  beginRemoval(sha256: string): Removal | null;
  /** Give them back, or up for good: those alone that were taken away, not what another process has begun since. */
  endRemoval(sha256: string, removal: Removal, verdict: "keep" | "remove"): Promise<void>;
  /** After this returns no power cut brings back what was removed of these. */
  syncRemovals(digests: readonly string[]): Promise<void>;
  /** Uploads that were not what they were announced as, oldest first; they are never served. */
  quarantined(): Quarantined[];
  /** Remove one of those. @returns whether it was there */
  discard(id: string): Promise<boolean>;
}

export interface StoredBytes {
  readonly sha256: string;
  /** When they were last stored or kept, in milliseconds. */
  readonly touchedAt: number;
}

export interface Removal {
  /** Bytes. */
  readonly size: number;
  /** When they were last stored or kept, in milliseconds. */
  readonly touchedAt: number;
  /** Which file it was. */
  readonly inode: number;
}

export interface Quarantined {
  /** What it was announced as, and a random part. */
  readonly id: string;
  readonly size: number;
  /** When it came, in milliseconds. */
  readonly since: number;
}

const HEX = /^[0-9a-f]{64}$/;
const QUARANTINED = /^[0-9a-f]{64}-[A-Za-z0-9_-]{1,64}$/;

/** Not what says who brought some: that may be asked for as long as a task runs. */
const BYTES = /^(?!brought-)/;
/** What a process that died was just about to remove for good. */
const GONE = /^[0-9a-f]{64}\../;

function removeStale(directory: string, olderMs: number, which = /./): void {
  for (const name of readdirSync(directory)) {
    if (!which.test(name)) continue;
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

/** Open (and make) an artifact directory: `sha256/<two hex>/<64 hex>` beside `temporary/`, `removing/` and `quarantine/`. */
export function openArtifacts(directory: string): Artifacts {
  const temporaryDirectory = join(directory, "temporary");
  const root = join(directory, "sha256");
  makePrivateDirectory(temporaryDirectory);
  makePrivateDirectory(root);
  const quarantine = join(directory, "quarantine");
  makePrivateDirectory(quarantine);
  const removing = join(directory, "removing");
  makePrivateDirectory(removing);
  const removeAborted = (): void => {
    removeStale(temporaryDirectory, LIMITS.uploadMs, BYTES);
    removeStale(removing, LIMITS.uploadMs, GONE);
  };
  removeStale(temporaryDirectory, LIMITS.uploadMs);
  removeAborted();
  const writing = new Set<string>();

  const path = (sha256: string): string => {
    if (!HEX.test(sha256)) throw fail("artifact_not_found", "an artifact is named by 64 hex digits");
    return join(root, sha256.slice(0, 2), sha256);
  };

  /** Where the bytes are now: what is being removed may still be given back, and is read until then. */
  const find = (sha256: string): { at: string; size: number } | null => {
    const named = path(sha256);
    for (const at of [named, join(removing, sha256), named]) {
      const found = statSync(at, { throwIfNoEntry: false });
      if (found?.isFile()) return { at, size: found.size };
    }
    return null;
  };

  const stat = (sha256: string): StoredArtifact | null => {
    const found = find(sha256);
    return found === null ? null : { sha256, size: found.size };
  };

  const touch = (at: string): void => utimesSync(at, new Date(), new Date());

  const keep: Artifacts["keep"] = (sha256) => {
    const at = path(sha256);
    try {
      touch(at);
    } catch {
      return null;
    }
    // Looked at again: a name that went meanwhile may have been touched too late.
    const found = statSync(at, { throwIfNoEntry: false });
    return found?.isFile() ? { sha256, size: found.size } : null;
  };

  /** Give the bytes their name: after this returns, a power cut cannot take them away. */
  const publish = async (temporary: string, sha256: string): Promise<void> => {
    const shard = join(root, sha256.slice(0, 2));
    if (!existsSync(shard)) {
      await mkdir(shard, { recursive: true, mode: 0o700 });
      syncDirectory(root);
    }
    // From here on it counts as wanted; the bytes may have been written long ago.
    touch(temporary);
    await rename(temporary, path(sha256));
    syncDirectory(shard);
  };

  const ofUpload = (kind: string, { key, sha256 }: Pick<Upload, "key" | "sha256">): string =>
    join(
      temporaryDirectory,
      `${kind}-${new Bun.CryptoHasher("sha256").update(`${key}\0${sha256}`).digest("hex")}`,
    );
  const partial = (upload: Pick<Upload, "key" | "sha256">): string => ofUpload("part", upload);
  const proof = (upload: Pick<Upload, "key" | "sha256">): string => ofUpload("brought", upload);
  /** Before the bytes are synced, whose sync then is its own. */
  const prove = (upload: Pick<Upload, "key" | "sha256">): void =>
    writeFileSync(proof(upload), "", { mode: 0o600 });

  const put: Artifacts["put"] = async (
    data,
    expectedSha256,
    maximumBytes = Number.POSITIVE_INFINITY,
    key = undefined,
  ) => {
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
        if (key !== undefined) prove({ key, sha256 });
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

  const append: Artifacts["append"] = async (data, upload) => {
    const { sha256, size, offset } = upload;
    const known = upload.mayKnow ? keep(sha256) : null;
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
      if (actual === sha256) prove(upload);
      await file.sync();
      if (actual !== sha256) {
        const quarantineId = `${sha256}-${randomToken(6)}`;
        await rename(path_, join(quarantine, quarantineId));
        throw fail("artifact_digest_mismatch", `the bytes are ${actual}, announced was ${sha256}`, {
          details: { expected: sha256, actual, quarantineId },
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
    brought: (upload) => existsSync(proof(upload)),
    forgetBrought: (upload) => rmSync(proof(upload), { force: true }),
    path,
    stat,
    has: (sha256) => stat(sha256) !== null,
    open(sha256, range) {
      const found = find(sha256);
      if (found === null) throw fail("artifact_not_found", `no artifact ${sha256}`);
      const file = Bun.file(found.at);
      return range === undefined
        ? file
        : file.slice(range.start, Math.min(range.end ?? found.size, found.size));
    },
    keep,
    page(after, limit) {
      const found: StoredBytes[] = [];
      for (const shard of readdirSync(root).sort()) {
        if (shard < after.slice(0, 2)) continue;
        for (const sha256 of readdirSync(join(root, shard)).sort()) {
          if (!HEX.test(sha256) || sha256 <= after) continue;
          if (found.length === limit) return { bytes: found, after: found.at(-1)!.sha256 };
          const stat = statSync(join(root, shard, sha256), { throwIfNoEntry: false });
          if (stat !== undefined) found.push({ sha256, touchedAt: Math.floor(stat.mtimeMs) });
        }
      }
      return { bytes: found, after: null };
    },
    removeAborted,
    ...removalsIn(removing, path),
    quarantined: () =>
      readdirSync(quarantine)
        .filter((id) => QUARANTINED.test(id))
        .flatMap((id) => {
          const found = statSync(join(quarantine, id), { throwIfNoEntry: false });
          return found?.isFile() ? [{ id, size: found.size, since: Math.floor(found.mtimeMs) }] : [];
        })
        .sort((a, b) => a.since - b.since),
    async discard(id) {
      const at = join(quarantine, id);
      if (!QUARANTINED.test(id) || !existsSync(at)) return false;
      await rm(at, { force: true });
      await syncAside(quarantine);
      return true;
    },
  };
}
