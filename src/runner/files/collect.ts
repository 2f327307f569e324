import { closeSync, read as readCallback } from "node:fs";
import { basename } from "node:path";
import { promisify } from "node:util";
import { sha256 } from "../../base/canonical.ts";
import { fail } from "../../base/errors.ts";
import { KIB } from "../../base/limits.ts";
import type { ArtifactReference, ArtifactRequest, Lease } from "../../protocol/index.ts";
import type { RawBody } from "../wire/client.ts";
import { type OpenedFile, openBelow, walkFiles } from "./walk.ts";

const read = promisify(readCallback);
const BLOCK = 256 * KIB;

/** Bytes of one artifact: `body` makes them anew for each try, from an offset on. */
export interface ArtifactSource {
  readonly sha256: string;
  readonly size: number;
  body(offset?: number): RawBody;
}

/** Bytes in memory as an artifact. */
export const artifactSource = (bytes: Uint8Array<ArrayBuffer>): ArtifactSource => ({
  sha256: sha256(bytes),
  size: bytes.length,
  body: (offset = 0) => bytes.subarray(offset),
});

export type StoreArtifact = (source: ArtifactSource) => Promise<void>;

async function* blocks(descriptor: number, size: number, from = 0): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = from; at < size; ) {
    const block = new Uint8Array(Math.min(BLOCK, size - at));
    const { bytesRead } = await read(descriptor, block, 0, block.length, at);
    if (bytesRead === 0) return;
    yield bytesRead === block.length ? block : block.subarray(0, bytesRead);
    at += bytesRead;
  }
}

const streamOf = (source: AsyncGenerator<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array> =>
  new ReadableStream({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await source.return(undefined);
    },
  });

/** Hash an open file and hand it to `store`; the descriptor stays the caller's. */
export async function storeOpened(descriptor: number, size: number, store: StoreArtifact): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  let only: Uint8Array<ArrayBuffer> | null = null;
  for await (const block of blocks(descriptor, size)) {
    hasher.update(block);
    only = block;
  }
  const sha256 = hasher.digest("hex");
  // One block is still in memory; more are read again for each try, and the receiver compares the digest.
  const small = size <= BLOCK ? (only ?? new Uint8Array(0)) : null;
  await store({
    sha256,
    size,
    body: (offset = 0) => small?.subarray(offset) ?? streamOf(blocks(descriptor, size, offset)),
  });
  return sha256;
}

const isGlob = (path: string): boolean => /[*?[{]/.test(path);

/** @throws Failure `artifact_path_denied` */
export function checkArtifactPath(path: string): void {
  const names = path.split("/");
  if (path.startsWith("/") || path.includes("\\") || names.some((name) => name === ".." || name === "")) {
    throw fail(
      "artifact_path_denied",
      `the artifact path ${JSON.stringify(path)} does not stay in the workspace`,
    );
  }
}

/** Letters, digits, dot, dash and underscore: what an artifact's name may hold. */
function plainName(text: string): string {
  const plain = text.replace(/[^A-Za-z0-9._-]+/g, "_").replace(/^[^A-Za-z0-9]+/, "");
  return plain.slice(0, 120) || "artifact";
}

/** A short glob only needs the directories that its fixed beginning leads to. */
function entersFor(requests: readonly ArtifactRequest[]): (path: string) => boolean {
  const fixed = requests.map((request) => {
    const names = request.path.split("/");
    const first = names.findIndex(isGlob);
    return { names, first: first === -1 ? names.length - 1 : first, deep: names.includes("**") };
  });
  return (path) => {
    const names = path.split("/");
    return fixed.some(
      ({ names: wanted, first, deep }) =>
        (deep || names.length < wanted.length) &&
        names.slice(0, first).every((name, index) => name === wanted[index]),
    );
  };
}

interface Found {
  readonly request: ArtifactRequest;
  readonly path: string;
}

function findAll(root: string, requests: readonly ArtifactRequest[]): Found[] {
  const found: Found[] = [];
  const globs = requests.filter((request) => isGlob(request.path));
  for (const request of requests) {
    if (!isGlob(request.path)) found.push({ request, path: request.path });
  }
  if (globs.length > 0) {
    const compiled = globs.map((request) => ({ request, glob: new Bun.Glob(request.path) }));
    const { paths, complete } = walkFiles(
      root,
      (path) => compiled.some(({ glob }) => glob.match(path)),
      entersFor(globs),
    );
    if (!complete)
      throw fail("artifact_path_denied", "the workspace has too many entries to look for artifacts");
    for (const path of paths) {
      const first = compiled.find(({ glob }) => glob.match(path))!;
      found.push({ request: first.request, path });
    }
  }
  return found;
}

/**
 * Store every declared artifact of a finished task.
 * @throws Failure `artifact_not_found` for a declared file that is missing or no regular file,
 * `artifact_path_denied`, `execution_output_too_large` over a limit, or what `store` throws
 */
export async function collectArtifacts(
  root: string,
  requests: readonly ArtifactRequest[],
  limits: Lease["limits"],
  maskName: (name: string) => string,
  store: StoreArtifact,
): Promise<ArtifactReference[]> {
  for (const request of requests) checkArtifactPath(request.path);
  if (requests.length === 0) return [];
  const found = findAll(root, requests);
  if (found.length > limits.artifactCount) {
    throw fail(
      "execution_output_too_large",
      `${found.length} artifacts, ${limits.artifactCount} are allowed`,
    );
  }
  const references: ArtifactReference[] = [];
  const taken = new Set<string>();
  let left = limits.artifactBytes;
  for (const { request, path } of found) {
    const opened: OpenedFile | null = openBelow(root, path);
    if (opened === null) {
      throw fail(
        "artifact_not_found",
        `the declared artifact ${JSON.stringify(path)} is missing or no regular file`,
        {
          hint: "the task has to write it below its working directory; links are not followed",
        },
      );
    }
    try {
      const { size } = opened.stat;
      left -= size;
      if (left < 0) {
        throw fail("execution_output_too_large", `the artifacts are over ${limits.artifactBytes} bytes`);
      }
      const sha256 = await storeOpened(opened.descriptor, size, store);
      const base = plainName(maskName(request.name ?? (isGlob(request.path) ? path : basename(path))));
      let name = base;
      for (let copy = 2; taken.has(name); copy++) name = `${base}-${copy}`;
      taken.add(name);
      references.push({
        name,
        sha256,
        size,
        mediaType: request.mediaType ?? "application/octet-stream",
        uri: `artifact://sha256/${sha256}`,
      });
    } finally {
      closeSync(opened.descriptor);
    }
  }
  return references;
}
