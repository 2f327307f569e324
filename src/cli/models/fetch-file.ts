import {
  closeSync,
  createReadStream,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import type { ModelFile } from "../../assets/index.ts";
import { Failure, fail } from "../../base/errors.ts";
import { syncDirectory } from "../../base/files.ts";

export type Progress = (done: number, total: number | null) => void;

/**
 * Bring a file to its place. What an interrupted call left goes on where it ended; the name appears only when the bytes
 * have their digest and are on disk.
 * @throws Failure `artifact_digest_mismatch`, `unavailable`; a part that has the wrong digest is removed
 */
export async function fetchFile(
  origin: { readonly url: URL } | { readonly path: string },
  target: string,
  file: ModelFile,
  progress: Progress,
  signal: AbortSignal,
): Promise<number> {
  mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
  const partial = `${target}.part`;
  const hasher = new Bun.CryptoHasher("sha256");
  let done = 0;
  const resumed = statSync(partial, { throwIfNoEntry: false })?.size ?? 0;
  let source: AsyncIterable<Uint8Array>;
  let total: number | null = file.size ?? null;
  if ("path" in origin) {
    rmSync(partial, { force: true });
    total = statSync(origin.path, { throwIfNoEntry: false })?.size ?? null;
    if (total === null) throw fail("not_found", `there is no ${origin.path}`);
    source = createReadStream(origin.path, { signal });
  } else {
    const response = await request(origin.url, resumed, signal);
    if (response.status === 206) {
      for await (const part of Bun.file(partial).stream()) {
        hasher.update(part);
        done += part.byteLength;
      }
    } else rmSync(partial, { force: true });
    const length = Number(response.headers.get("content-length"));
    if (Number.isFinite(length) && length > 0) total ??= done + length;
    source = response.body as AsyncIterable<Uint8Array>;
  }
  const descriptor = openSync(partial, "a", 0o600);
  try {
    for await (const part of source) {
      if (file.size !== undefined && done + part.byteLength > file.size) {
        throw fail(
          "artifact_digest_mismatch",
          `${file.name} is longer than the ${file.size} bytes it should have`,
        );
      }
      for (let at = 0; at < part.byteLength; ) at += writeSync(descriptor, part, at);
      hasher.update(part);
      done += part.byteLength;
      progress(done, total);
    }
    fsyncSync(descriptor);
    if (total !== null && done < total) throw brokenOff(file, done);
  } catch (error) {
    if (error instanceof Failure && error.code === "artifact_digest_mismatch")
      rmSync(partial, { force: true });
    if (error instanceof Failure || signal.aborted) throw error;
    throw brokenOff(file, done, error);
  } finally {
    closeSync(descriptor);
  }
  const digest = hasher.digest("hex");
  if (digest !== file.sha256) {
    rmSync(partial, { force: true });
    throw fail("artifact_digest_mismatch", `${file.from} has the digest ${digest}, not ${file.sha256}`, {
      hint: "correct sha256 in the model asset, if the new file is the one that is meant",
    });
  }
  renameSync(partial, target);
  syncDirectory(dirname(target));
  return done;
}

const brokenOff = (file: ModelFile, done: number, cause?: unknown): Failure =>
  fail("unavailable", `${file.from} broke off after ${done} bytes`, {
    hint: "run the same command again: it goes on from there",
    ...(cause === undefined ? {} : { cause }),
  });

/** From the byte where an earlier call ended; a server that does not know ranges answers with the whole. */
async function request(url: URL, from: number, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, {
      headers: from === 0 ? {} : { range: `bytes=${from}-` },
      signal,
      timeout: false,
    } as RequestInit);
  } catch (error) {
    if (signal.aborted) throw error;
    throw fail(
      "unavailable",
      `${url.host} does not answer: ${error instanceof Error ? error.message : error}`,
      {
        cause: error,
      },
    );
  }
  // All of it is here already, or the file has become shorter: from the start, once.
  if (response.status === 416 && from > 0) return await request(url, 0, signal);
  if (!response.ok || response.body === null) {
    throw fail("unavailable", `${url.origin}${url.pathname} answers ${response.status}`, {
      hint: "check the address in the model asset",
    });
  }
  return response;
}
