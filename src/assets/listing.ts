import { type Dirent, lstatSync, readdirSync, realpathSync, type Stats } from "node:fs";
import { join, resolve } from "node:path";
import type { AssetDiagnostic } from "./diagnostics.ts";
import { type IndexEntries, type IndexEntry, indexPath, readIndex, writeIndex } from "./index-file.ts";
import { ASSET_KINDS, type AssetKind, type AssetRecord, folderOf } from "./kinds.ts";

export interface Listing {
  /** Sorted by id, in byte order. */
  readonly assets: AssetRecord[];
  /** The first problem of each bad file, sorted by path. */
  readonly diagnostics: AssetDiagnostic[];
}

/**
 * A file that was written this shortly before it was read may be written again within the same tick of the file system's
 * clock, and would then look unchanged: it is not remembered. Milliseconds; a tick is at most 10.
 */
const FRESH_MS = 50;

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * What the files of a project are called, from the index where one has not changed: only files that did are read, and the
 * parser is loaded only for them. Their definitions are not looked at (`checkProject` does), and nothing is ever run.
 * @param directory where indexes are kept; what it holds can be removed at any time
 */
export async function listAssets(
  root: string,
  directory: string,
  kinds: readonly AssetKind[] = ASSET_KINDS,
): Promise<Listing> {
  const absolute = resolve(root);
  const path = indexPath(directory, absolute);
  const known = readIndex(path);
  const now = Date.now();
  const entries: IndexEntries = {};
  const listed: { kind: AssetKind; path: string; entry: IndexEntry }[] = [];
  const other: AssetDiagnostic[] = [];
  let changed = false;
  for (const kind of ASSET_KINDS) {
    const folder = join(absolute, "lightflow", folderOf(kind));
    if (!kinds.includes(kind)) continue;
    const files = filesIn(absolute, folder);
    if (files === undefined) {
      // A link, or no folder at all: the slow way says what it is.
      const { discoverAssets } = await import("./discover.ts");
      const slow = discoverAssets(absolute, { kinds: [kind] });
      for (const asset of slow.assets) {
        if (asset.builtin) continue;
        const entry = {
          stamp: "",
          meta: asset.meta,
          sha256: asset.source_sha256,
          id: 0,
          diagnostic: null,
        };
        listed.push({ kind, path: asset.source_path, entry });
      }
      other.push(...slow.diagnostics);
      continue;
    }
    for (const { path: file, stat } of files) {
      const stamp = stampOf(stat);
      const old = known[file];
      if (old !== undefined && old.stamp === stamp) {
        entries[file] = old;
        listed.push({ kind, path: file, entry: old });
        continue;
      }
      const entry = await readEntry(file, absolute, kind, stamp);
      listed.push({ kind, path: file, entry });
      changed = true;
      if (now - Math.max(stat.mtimeMs, stat.ctimeMs) > FRESH_MS) entries[file] = entry;
    }
  }
  // Entries of the kinds that were not asked for stay; of those that were, gone files are forgotten.
  const prefixes = kinds.map((kind) => `${join(absolute, "lightflow", folderOf(kind))}/`);
  for (const [file, entry] of Object.entries(known)) {
    if (!prefixes.some((prefix) => file.startsWith(prefix))) entries[file] ??= entry;
    else if (entries[file] === undefined) changed = true;
  }
  const builtins = await builtinEntries(known, entries, kinds);
  if (changed || builtins.changed) writeIndex(path, entries);
  return await gather(absolute, [...listed, ...builtins.listed], other);
}

async function gather(
  root: string,
  listed: readonly { path: string; entry: IndexEntry }[],
  diagnostics: AssetDiagnostic[],
): Promise<Listing> {
  const byId = new Map<string, AssetRecord>();
  for (const { path, entry } of listed) {
    if (entry.diagnostic !== null) diagnostics.push(entry.diagnostic);
    if (entry.meta === null) continue;
    const builtin = path.startsWith("builtin:");
    const first = byId.get(entry.meta.id);
    if (first === undefined) {
      byId.set(entry.meta.id, { meta: entry.meta, source_path: path, builtin, source_sha256: entry.sha256 });
    } else if (!builtin && entry.diagnostic === null) {
      reading ??= import("./entry.ts");
      diagnostics.push({
        code: "id_duplicate",
        severity: "error",
        path,
        ...(await reading).placeOf(path, root, entry.id),
        message: `the id ${entry.meta.id} is taken by ${first.source_path}`,
        hint: "give each asset an id of its own",
      });
    }
  }
  return {
    assets: [...byId.values()].sort((a, b) => order(a.meta.id, b.meta.id)),
    diagnostics: diagnostics.sort((a, b) => order(a.path, b.path)),
  };
}

/** The files of a folder of the project, in byte order; undefined where the folder is not a plain one. */
function filesIn(root: string, folder: string): { path: string; stat: Stats }[] | undefined {
  let entries: Dirent[];
  try {
    if (realpathSync(folder) !== join(realpathSync(root), folder.slice(root.length))) return undefined;
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? [] : undefined;
  }
  const files: { path: string; stat: Stats }[] = [];
  for (const { name } of entries.sort((a, b) => order(a.name, b.name))) {
    if (!name.endsWith(".ts") || name.endsWith(".d.ts") || name.endsWith(".test.ts")) continue;
    const path = `${folder}/${name}`;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat !== undefined) files.push({ path, stat });
  }
  return files;
}

/** A link has the stamp of nothing: what it leads to may change behind it. */
function stampOf(stat: Stats): string {
  if (!stat.isFile()) return "";
  return `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`;
}

let reading: Promise<typeof import("./entry.ts")> | undefined;

async function readEntry(path: string, root: string, kind: AssetKind, stamp: string): Promise<IndexEntry> {
  reading ??= import("./entry.ts");
  return (await reading).readEntry(path, root, kind, stamp);
}

/** What the executable carries, by a stamp of all of it: read once for each build. */
async function builtinEntries(
  known: IndexEntries,
  entries: IndexEntries,
  kinds: readonly AssetKind[],
): Promise<{ changed: boolean; listed: { path: string; entry: IndexEntry }[] }> {
  const { BUILTIN_ASSETS, BUILTINS_STAMP } = await import("../builtins/assets.ts");
  let changed = false;
  const listed: { path: string; entry: IndexEntry }[] = [];
  for (const { kind, name, text } of BUILTIN_ASSETS) {
    const path = `builtin:${folderOf(kind)}/${name}`;
    let entry = known[path];
    if (entry?.stamp !== BUILTINS_STAMP) {
      reading ??= import("./entry.ts");
      entry = (await reading).entryOf(path, text, kind, BUILTINS_STAMP);
      changed = true;
    }
    entries[path] = entry;
    if (kinds.includes(kind)) listed.push({ path, entry });
  }
  return { changed, listed };
}
