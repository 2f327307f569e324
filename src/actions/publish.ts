import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { canonicalJson, sha256 } from "../base/canonical.ts";
import { fail } from "../base/errors.ts";
import { syncDirectory, writeFileDurable } from "../base/files.ts";
import type { Json, JsonObject } from "../base/json.ts";
import type { ActionContext } from "./child.ts";
import { absolutePath, givenArtifacts, onlyKnows, plainName } from "./given.ts";
import { checkProvenance } from "./provenance-check.ts";

const MANIFEST = "manifest.json";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly idempotencyKey: string;
  readonly files: readonly { readonly name: string; readonly sha256: string; readonly size: number }[];
}

/**
 * Publish artifacts into a registry directory as `<registry>/<name>/<version>/`. The whole release appears at once, by one
 * rename; a release that stands already is compared and never changed. Done twice it is done once.
 * @throws Failure `conflict` where another release has that version, `provenance_invalid`, `artifact_digest_mismatch`
 */
export async function publish(context: ActionContext): Promise<Json> {
  const { given, idempotencyKey, say } = context;
  onlyKnows(given, "registry", "name", "version", "artifacts", "provenance");
  const place = placeOf(given);
  const artifacts = givenArtifacts(context, "artifacts");
  const provenance = givenArtifacts(context, "provenance");
  checkProvenance(artifacts, provenance, context.builderKeys);
  const files = [...artifacts, ...provenance];
  const manifest: Manifest = {
    name: place.name,
    version: place.version,
    idempotencyKey,
    files: files.map(({ name, sha256, bytes }) => ({ name, sha256, size: bytes.length })),
  };
  const before = standing(place.path);
  if (before !== null) return alreadyThere(before, manifest, place.path, say);

  const staging = join(dirname(place.path), `.staging-${sha256(idempotencyKey).slice(0, 32)}`);
  // What an attempt that was killed has left.
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging, { recursive: true });
  for (const { name, bytes } of files) writeFileDurable(join(staging, name), bytes, 0o644);
  writeFileDurable(join(staging, MANIFEST), `${canonicalJson(manifest)}\n`, 0o644);
  syncDirectory(staging);
  try {
    renameSync(staging, place.path);
  } catch (error) {
    // Somebody else was first.
    const now = standing(place.path);
    rmSync(staging, { recursive: true, force: true });
    if (now === null) throw fail("io", `cannot publish to ${place.path}: ${(error as Error).message}`);
    return alreadyThere(now, manifest, place.path, say);
  }
  syncDirectory(dirname(place.path));
  say(`published ${place.name} ${place.version}: ${files.map(({ name }) => name).join(", ")}`);
  return answer("published", manifest, place.path);
}

/** What stands in the registry: how an operator, or a workflow, finds out what became of an attempt nobody knows about. */
export async function inspect({ given }: ActionContext): Promise<Json> {
  onlyKnows(given, "registry", "name", "version");
  const place = placeOf(given);
  const manifest = standing(place.path);
  if (manifest === null) return { state: "absent", path: place.path };
  const damaged = manifest.files.filter(({ name, sha256: digest }) => {
    const path = join(place.path, name);
    return !existsSync(path) || sha256(new Uint8Array(readFileSync(path))) !== digest;
  });
  const state = damaged.length === 0 ? "published" : "damaged";
  return { ...(answer(state, manifest, place.path) as JsonObject), damaged: damaged.map(({ name }) => name) };
}

function placeOf(given: JsonObject): { name: string; version: string; path: string } {
  const registry = absolutePath(given, "registry");
  if (!existsSync(registry)) throw fail("not_found", `there is no registry directory ${registry}`);
  const name = plainName(given, "name");
  const version = plainName(given, "version");
  const folder = join(registry, name);
  // A link that somebody put there would lead the release elsewhere.
  for (let at = folder; at.length > registry.length; at = dirname(at)) {
    if (existsSync(at) && !lstatSync(at).isDirectory())
      throw fail("artifact_path_denied", `${at} is not a directory of the registry`);
  }
  mkdirSafely(folder);
  return { name, version, path: join(folder, version) };
}

function mkdirSafely(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    // A registry that is only looked at is mounted read-only.
    if ((error as NodeJS.ErrnoException).code !== "EROFS") throw error;
  }
}

function standing(path: string): Manifest | null {
  if (!existsSync(path)) return null;
  if (!lstatSync(path).isDirectory()) throw fail("artifact_path_denied", `${path} is not a directory`);
  const file = join(path, MANIFEST);
  if (!existsSync(file)) {
    throw fail(
      "conflict",
      `${path} stands without a manifest: ${readdirSync(path).length} files of somebody else`,
    );
  }
  return JSON.parse(readFileSync(file, "utf8")) as Manifest;
}

function alreadyThere(found: Manifest, asked: Manifest, path: string, say: (line: string) => void): Json {
  const bytes = (manifest: Manifest) =>
    canonicalJson(manifest.files.map(({ name, sha256 }) => ({ name, sha256 })));
  const same = found.idempotencyKey === asked.idempotencyKey && bytes(found) === bytes(asked);
  if (!same) {
    throw fail("conflict", `${asked.name} ${asked.version} is published with other contents`, {
      hint: "a published version never changes: release another version",
    });
  }
  say(`${asked.name} ${asked.version} was published by this very task before`);
  return answer("published", found, path);
}

const answer = (state: string, manifest: Manifest, path: string): Json => ({
  state,
  path,
  idempotencyKey: manifest.idempotencyKey,
  files: manifest.files.map((file) => ({ ...file })),
});
