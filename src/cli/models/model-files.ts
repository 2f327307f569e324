import { existsSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { type ModelFile, readModels } from "../../assets/index.ts";
import { fail } from "../../base/errors.ts";
import { writeFileDurable } from "../../base/files.ts";
import type { JsonObject } from "../../base/json.ts";
import { parseStrictJson } from "../../base/strict-json.ts";
import type { Io } from "../io.ts";

/** A model asset with the files that it names. */
export interface ModelWithFiles {
  readonly id: string;
  readonly title: string;
  readonly licence: string | null;
  readonly source: string;
  readonly builtin: boolean;
  readonly files: readonly ModelFile[];
}

/**
 * The model assets of a project, or those that were named.
 * @throws Failure `asset_invalid` for a project whose models cannot be read, `asset_not_found`
 */
export function modelsOf(io: Io, ids: readonly string[]): ModelWithFiles[] {
  const { models, diagnostics } = readModels(io.root());
  const found = ids.length === 0 ? models : models.filter(({ record }) => ids.includes(record.meta.id));
  for (const id of ids) {
    if (found.some(({ record }) => record.meta.id === id)) continue;
    const bad = diagnostics[0];
    throw fail("asset_not_found", `there is no model ${id}`, {
      hint: bad === undefined ? "see lightflow models list" : `${bad.path}:${bad.line}: ${bad.message}`,
    });
  }
  return found.map(({ record, definition }) => ({
    id: record.meta.id,
    title: record.meta.title,
    licence: definition?.licence ?? null,
    source: record.source_sha256,
    builtin: record.builtin,
    files: definition?.files ?? [],
  }));
}

/** Where a model's files are kept, for all projects of this user. */
const modelDirectory = (io: Io, id: string): string => join(io.paths.cache, "models", id);

export const modelFilePath = (io: Io, id: string, file: ModelFile): string =>
  join(modelDirectory(io, id), file.name);

/** SHA-256 and size of a file, read in parts. */
async function digestOfFile(path: string): Promise<{ sha256: string; size: number }> {
  const hasher = new Bun.CryptoHasher("sha256");
  let size = 0;
  for await (const part of Bun.file(path).stream()) {
    hasher.update(part);
    size += part.byteLength;
  }
  return { sha256: hasher.digest("hex"), size };
}

/** Where a file comes from: an address, or a path below the project. */
export function originOf(io: Io, file: ModelFile): { readonly url: URL } | { readonly path: string } {
  if (/^https?:\/\//.test(file.from)) return { url: new URL(file.from) };
  if (/^[a-z][a-z0-9+.-]*:/i.test(file.from)) {
    throw fail("invalid_request", `${file.from} is neither http(s):// nor a path`, {
      hint: "write https://… or a path below the project",
    });
  }
  const root = io.root();
  const path = resolve(root, file.from);
  const inside = relative(root, path);
  if (isAbsolute(file.from) || inside.startsWith("..")) {
    throw fail("invalid_request", `${file.from} leads out of the project`, {
      hint: "write a path below the project",
    });
  }
  return { path };
}

/** What was installed, beside the assets and committed with them: `lightflow/models.lock.json`. */
const lockPath = (io: Io): string => join(io.root(), "lightflow", "models.lock.json");

interface Lock {
  readonly version: 1;
  readonly models: Record<
    string,
    { source: string; files: { name: string; sha256: string; size: number }[] }
  >;
}

/** @throws Failure `invalid_request` for a lock file that is none */
export async function readLock(io: Io): Promise<Lock> {
  const path = lockPath(io);
  if (!existsSync(path)) return { version: 1, models: {} };
  try {
    const value = parseStrictJson(await Bun.file(path).text()) as unknown as Lock;
    if (value.version === 1 && typeof value.models === "object" && value.models !== null) return value;
  } catch {
    // Said below.
  }
  throw fail("invalid_request", `${path} is not a lock file of version 1`, {
    hint: "remove it, and run lightflow models install again",
  });
}

export function writeLock(io: Io, lock: Lock): void {
  const models = Object.fromEntries(
    Object.entries(lock.models).sort(([a], [b]) => (a < b ? -1 : 1)),
  ) as unknown as JsonObject;
  if (!existsSync(dirname(lockPath(io)))) return;
  writeFileDurable(lockPath(io), `${JSON.stringify({ version: 1, models }, null, 2)}\n`, 0o644);
}

export type FileState = "installed" | "missing" | "partial" | "different";

/** By its size alone, or (`verify`) by its bytes. */
export async function stateOf(path: string, file: ModelFile, verify: boolean): Promise<FileState> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return existsSync(`${path}.part`) ? "partial" : "missing";
  if (file.size !== undefined && stat.size !== file.size) return "different";
  if (!verify) return "installed";
  return (await digestOfFile(path)).sha256 === file.sha256 ? "installed" : "different";
}
